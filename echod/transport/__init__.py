"""How bytes get in and out. Knows nothing of what is done with them."""
