"""A TCP transport under a script, stock or eager, and what came of it."""

from typing import Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPullProducer,
    IPushProducer,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .scripted import ScriptedSocket
from .switchboard import Switchboard

#: More than any script writes.
ENDLESS = 1 << 40


class Plain(Protocol):
    """
    Notes what it is told.

    Attributes:
        received: the bytes that came.
        told: ``read`` and ``write`` for the half-closes, then the kind of the end.
    """

    def __init__(self) -> None:
        self.received = bytearray()
        self.told: list[str] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.told.append(type(reason.value).__name__)


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Plain):
    """One that is told of half-closes."""

    def readConnectionLost(self) -> None:
        self.told.append("read")

    def writeConnectionLost(self) -> None:
        self.told.append("write")


class Side:
    """
    A connection whose system, peer and reactor are the test.

    Args:
        kind: the class of the transport.
        protocol: its protocol.

    Attributes:
        link: the transport.
        written: what was handed over while the connection took it.
    """

    def __init__(self, kind: type[tcp.Server], protocol: Plain) -> None:
        self.switchboard = Switchboard()
        self.socket = ScriptedSocket()
        self.protocol = protocol
        self.written = bytearray()
        made: Any = kind
        peer = ("127.0.0.1", 50_000)
        self.link: tcp.Server = made(
            self.socket, protocol, peer, None, 7, self.switchboard
        )
        protocol.makeConnection(self.link)

    def write(self, data: bytes) -> None:
        self._note(data)
        self.link.write(data)

    def write_sequence(self, pieces: list[bytes]) -> None:
        self._note(b"".join(pieces))
        self.link.writeSequence(pieces)

    def _note(self, data: bytes) -> None:
        if self.link.connected and not self.link._writeDisconnected:
            self.written += data

    @property
    def is_lost(self) -> bool:
        return not self.link.connected

    def turn(self) -> bool:
        """
        One turn of a reactor, by the rules of Twisted's.

        Returns:
            Whether there was anything to do.
        """
        there_were_calls = bool(self.switchboard.calls)
        self.switchboard.call()
        link, system = self.link, self.socket
        reads = link in self.switchboard.readers and system.is_readable
        writes = link in self.switchboard.writers and system.is_writable
        why: Any = None
        in_read = False
        if reads:
            why, in_read = link.doRead(), True
        if writes and not why:
            why, in_read = link.doWrite(), False
        if why:
            self._disconnect(why, in_read=in_read)
        return reads or writes or there_were_calls

    def _disconnect(self, why: Exception, *, in_read: bool) -> None:
        self.switchboard.removeReader(self.link)
        if in_read and isinstance(why, ConnectionDone):
            self.link.readConnectionLost(Failure(why))
        else:
            self.switchboard.removeWriter(self.link)
            self.link.connectionLost(Failure(why))

    def settle(self) -> None:
        """Turns until there is nothing to do."""
        for _ in range(10_000):
            if not self.turn():
                return
        raise AssertionError("there is no end to it")


@implementer(IPushProducer)
class Push:
    """
    A producer that is told to pause; notes what it is told.

    Args:
        side: where it writes.
        pieces: one is written whenever it is told to pause or to go on.
    """

    def __init__(self, side: Side, pieces: list[bytes]) -> None:
        self._side, self._pieces = side, pieces
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")
        self._produce()

    def resumeProducing(self) -> None:
        self.told.append("resume")
        self._produce()

    def stopProducing(self) -> None:
        self.told.append("stop")

    def _produce(self) -> None:
        if self._pieces:
            self._side.write(self._pieces.pop(0))


@implementer(IPullProducer)
class Pull:
    """The same for one that is asked for each piece."""

    def __init__(self, side: Side, pieces: list[bytes]) -> None:
        self._side, self._pieces = side, pieces
        self.told: list[str] = []

    def resumeProducing(self) -> None:
        self.told.append("resume")
        if self._pieces:
            self._side.write(self._pieces.pop(0))

    def stopProducing(self) -> None:
        self.told.append("stop")
