"""Text to Settings: the file, the environment and the command line."""
