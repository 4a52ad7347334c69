"""``echod`` and ``python -m echod``."""

from .command import main

if __name__ == "__main__":
    main()
