"""The console face: one file per subcommand of ``echod``."""
