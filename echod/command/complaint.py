"""The one line on standard error that says what is wrong."""

import os
import sys
from contextlib import suppress

_STANDARD_ERROR = 2


def complain(message: str) -> None:
    """
    Say ``message`` on standard error, past all that stands in the place of
    ``sys.stderr``. Where nobody can hear it, the exit code says it as well.
    """
    # Not through Python's buffer: what it cannot write, it keeps, and tries again
    # at the very end, and then the exit code is 120. Where standard error is closed,
    # its number may be another file's.
    if sys.__stderr__ is not None:
        with suppress(OSError):
            os.write(_STANDARD_ERROR, f"echod: {message}\n".encode(errors="replace"))
