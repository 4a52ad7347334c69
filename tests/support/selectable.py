"""Things that a reactor watches, which do what a test says."""

import socket
from collections.abc import Callable
from typing import Any, Self

from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IReadWriteDescriptor,
)
from twisted.python.failure import Failure
from zope.interface import implementer

#: What ``doRead`` or ``doWrite`` answers; it may raise as well.
Deed = Callable[[], Exception | int | None]


def _nothing() -> None:
    return None


@implementer(IReadWriteDescriptor)
class Selectable:
    """
    One end of a pair of sockets; a context manager.

    Args:
        read: done by ``doRead``.
        write: done by ``doWrite``.
        lost: done by ``connectionLost``.
        pair: the sockets; a pair of UNIX streams otherwise.

    Attributes:
        end: its own socket.
        peer: the other one.
        events: the names of the methods that were called.
        reasons: what the methods that end it were given.
    """

    def __init__(
        self,
        read: Deed = _nothing,
        write: Deed = _nothing,
        lost: Callable[[], object] = _nothing,
        pair: tuple[socket.socket, socket.socket] | None = None,
    ) -> None:
        self._read, self._write, self._lost = read, write, lost
        self.end, self.peer = pair or socket.socketpair()
        self.end.setblocking(False)
        self.events: list[str] = []
        self.reasons: list[Failure] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end.close()
        self.peer.close()

    def fileno(self) -> int:
        return self.end.fileno()

    def logPrefix(self) -> str:
        return "selectable"

    # Twisted declares that they return a Failure; they return what it wraps in one.

    def doRead(self) -> Any:
        self.events.append("doRead")
        return self._read()

    def doWrite(self) -> Any:
        self.events.append("doWrite")
        return self._write()

    def connectionLost(self, reason: Failure) -> None:
        self.events.append("connectionLost")
        self.reasons.append(reason)
        self._lost()


@implementer(IHalfCloseableDescriptor)
class HalfCloseable(Selectable):
    """One that knows what a half-close is."""

    def readConnectionLost(self, reason: Failure) -> None:
        self.events.append("readConnectionLost")
        self.reasons.append(reason)

    def writeConnectionLost(self, reason: Failure) -> None:
        """Twisted's reactors never call it."""
        raise NotImplementedError
