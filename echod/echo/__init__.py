"""What echod does with bytes."""
