"""
Many datagrams in one system call, for which Python's socket module has no word.

Sources: recvmmsg(2), sendmmsg(2), recvmsg(2).
"""

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache


class Buffer(ctypes.Structure):
    """Where one datagram goes: ``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Header(ctypes.Structure):
    """One message: ``struct msghdr``, with its address and its control messages."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("buffers", ctypes.c_void_p),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_uint),
    )


class Message(ctypes.Structure):
    """A message and how many bytes of it were moved: ``struct mmsghdr``."""

    _fields_ = (("header", Header), ("length", ctypes.c_uint))


#: Either call: descriptor, first message, count, flags (and, for recvmmsg, timeout).
#: Returns how many messages were moved, or -1 and ``error`` says why none was.
Call = Callable[..., int]

#: From linux/socket.h: a call never waits, whatever the socket has been told.
MSG_DONTWAIT = 0x40


@cache
def _libc() -> ctypes.CDLL:
    # CDLL lets other threads run while the system moves up to 64 datagrams, at 2 us
    # and more each. PyDLL does not, and saves 50 of the 430 ns that calling takes.
    return ctypes.CDLL(None, use_errno=True)


@cache
def is_available() -> bool:
    """Whether this system has both calls, and lets this process make them."""
    if sys.platform != "linux":  # pragma: no cover - nothing else is tested on
        return False
    return all(is_answered(name) for name in ("recvmmsg", "sendmmsg"))


def is_answered(name: str) -> bool:
    """Whether the system call of this name gets as far as its arguments."""
    call = getattr(_libc(), name, None)
    if call is None:
        return False
    # A filter of system calls (seccomp(2)) says EPERM or ENOSYS; the system itself
    # says what is wrong with the descriptor.
    call(-1, None, 0, 0, None)
    return ctypes.get_errno() == errno.EBADF


def calls() -> tuple[Call, Call]:
    """
    Returns:
        recvmmsg and sendmmsg. Their arguments are not declared, for that would cost
        280 ns a call: a Python int goes as a C int, which all of them are but the
        address of the first message, and that goes as ``ctypes.byref``.
    """
    libc = _libc()
    return libc.recvmmsg, libc.sendmmsg


def error() -> OSError:
    """Why the last call has returned -1."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
