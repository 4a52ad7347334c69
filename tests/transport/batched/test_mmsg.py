import ctypes
import errno
import socket

import pytest

from echod.transport.batched import mmsg
from echod.transport.batched.slots import IPV4, Slots


def test_calls_are_available_here() -> None:
    """The system that the tests run on has both calls."""
    assert mmsg.is_available()


class Libc:
    """A C library in which one call ends in ``number``, or is not there."""

    def __init__(self, number: int | None) -> None:
        if number is not None:
            self.recvmmsg = lambda *_: ctypes.set_errno(number)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EBADF, True),
        (errno.ENOSYS, False),
        (errno.EPERM, False),
        (None, False),
    ],
)
def test_call_that_is_filtered_is_not_there(
    monkeypatch: pytest.MonkeyPatch, number: int | None, expected: bool
) -> None:
    """A call counts when the system gets as far as its bad descriptor."""
    monkeypatch.setattr(mmsg, "_libc", lambda: Libc(number))
    assert expected is mmsg.is_answered("recvmmsg")


def test_structures_have_the_sizes_of_the_system() -> None:
    """The messages have the size of the platform's own, without a gap at the end."""
    word = ctypes.sizeof(ctypes.c_void_p)
    assert 2 * word == ctypes.sizeof(mmsg.Buffer)
    assert {4: 28, 8: 56}[word] == ctypes.sizeof(mmsg.Header)
    assert {4: 32, 8: 64}[word] == ctypes.sizeof(mmsg.Message)


def test_failure_is_the_error_that_python_has() -> None:
    """A failed call raises what a method of a socket would."""
    slots = Slots(IPV4, 2, 100)
    with pytest.raises(OSError, match="Bad file descriptor"):
        slots.send(-1, slots.messages[0], 2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        # Blocking, but the call is told not to wait.
        opened.bind(("127.0.0.1", 0))
        with pytest.raises(BlockingIOError):
            slots.receive(opened.fileno())
