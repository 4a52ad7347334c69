"""``echod`` and ``python -m echod``."""

from .command.group import main

if __name__ == "__main__":
    main()
