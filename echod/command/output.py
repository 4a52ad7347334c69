"""
What a command says: its answer on standard output, what is wrong on standard error.

Both go past Python's buffers. What a buffer cannot write it keeps, tries again at the
very end of the process, and then the exit code is 120.
"""

import os
import sys
from contextlib import suppress

from ..errors import BrokenPipe, explain

_STANDARD_OUTPUT = 1
_STANDARD_ERROR = 2


def write(data: bytes) -> None:
    """
    Write all of ``data`` to standard output.

    Raises:
        OSError: it cannot be written; a part of it may have been.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(_STANDARD_OUTPUT, left) :]


def answer(data: bytes | str) -> None:
    """
    Write all of ``data`` to standard output.

    Raises:
        BrokenPipe: it cannot be written.
    """
    try:
        write(data.encode() if isinstance(data, str) else data)
    except OSError as error:
        msg = f"standard output: {explain(error)}; want a place for the answer"
        raise BrokenPipe(msg) from error


def complain(message: str) -> None:
    """
    Say in one line what is wrong, past all that stands in the place of ``sys.stderr``.
    Where nobody can hear it, the exit code says it as well.
    """
    # Where standard error is closed, its number may be another file's.
    if sys.__stderr__ is not None:
        with suppress(OSError):
            os.write(_STANDARD_ERROR, f"echod: {message}\n".encode(errors="replace"))
