"""Who may, and how much. Time is an argument, the answer a value."""
