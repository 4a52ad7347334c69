"""A TCP socket whose system is the test."""

import errno
import os
from typing import Any


class ScriptedSocket:
    """
    A connected TCP socket, as a transport uses it.

    It does as Linux does: an error is told once, to whoever asks first; then a send
    finds a broken pipe, and a receive what had come before, and the end.

    Attributes:
        room: how many bytes a send may move from now on, all in all.
        is_short: whether the system is short of buffers, which is ENOBUFS.
        sent: the bytes that have gone to the peer.
        is_finished: whether the peer has been told that no more will come.
        is_broken: whether the peer has reset the connection.
        asked: how much each ``recv`` asked for.
    """

    def __init__(self) -> None:
        self.room = 0
        self.is_short = False
        self.sent = bytearray()
        self.is_finished = False
        self.is_closed = False
        self.asked: list[int] = []
        self._received = bytearray()
        self._is_at_end = False
        self.is_broken = False
        self._error = 0

    # What the test does as the peer and the system.

    def arrive(self, data: bytes) -> None:
        """The peer has sent ``data``."""
        self._received += data

    def end(self) -> None:
        """The peer will send no more."""
        self._is_at_end = True

    def break_off(self) -> None:
        """The peer has reset the connection."""
        self.is_broken = True
        # tcp_reset() in Linux; and recv(2) looks for the end first.
        self._error = errno.EPIPE if self._is_at_end else errno.ECONNRESET

    @property
    def is_readable(self) -> bool:
        return bool(self._received) or self._is_at_end or self.is_broken

    @property
    def is_writable(self) -> bool:
        return self.room > 0 or self.is_broken or self.is_finished

    # What the transport does.

    def send(self, data: bytes | memoryview) -> int:
        self._raise_error()
        if self.is_broken or self.is_finished:
            raise _error(errno.EPIPE)
        if self.is_short:
            raise _error(errno.ENOBUFS)
        whole = bytes(data)
        if whole and not self.room:
            raise _error(errno.EAGAIN)
        taken = whole[: self.room]
        self.room -= len(taken)
        self.sent += taken
        return len(taken)

    def recv(self, size: int) -> bytes:
        self.asked.append(size)
        if self._received:
            taken = bytes(self._received[:size])
            del self._received[:size]
            return taken
        if self._is_at_end:
            return b""
        self._raise_error()
        if not self.is_broken:
            raise _error(errno.EAGAIN)
        return b""

    def shutdown(self, how: int) -> None:
        if self.is_broken:
            raise _error(errno.ENOTCONN)
        self.is_finished = True

    def close(self) -> None:
        self.is_closed = True

    def fileno(self) -> int:
        return -1 if self.is_closed else 99

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def setsockopt(self, *option: Any) -> None:
        """Options change nothing."""

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 65_432

    def _raise_error(self) -> None:
        if self._error:
            number, self._error = self._error, 0
            raise _error(number)


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
