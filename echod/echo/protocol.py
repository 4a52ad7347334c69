"""Echo over any stream: RFC 862, "TCP Based Echo Service"."""

from typing import Protocol as TypingProtocol
from typing import cast

from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


class ConnectionObserver(TypingProtocol):
    """Who wants to know of connections."""

    def connection_made(self, connection: "EchoProtocol") -> None:
        """The connection is open, and nothing has been received."""

    def connection_lost(self, connection: "EchoProtocol", reason: Failure) -> None:
        """The connection has ended; ``reason`` is Twisted's."""


# The interface must stand on this very class: any ProtocolWrapper around it
# (haproxy:, twisted.protocols.policies) hides it, and then a half-close cuts what
# is still owed (0 of 50 complete, measured). Limits belong inside, not around.
@implementer(IHalfCloseableProtocol)
class EchoProtocol(Protocol):
    """
    One connection: returns every byte, in order, until its peer has no more.

    When the peer half-closes, what is owed is sent before the connection ends. While
    the peer does not read, nothing is read from it: a connection holds at most
    Twisted's write buffer of 64 KiB and one read (64 KiB, or the 96 KiB of an
    ``EagerServer``), whatever the peer does.

    Runs on any stream transport: TCP, UNIX, standard input and output.

    Args:
        observer: told of the connection's begin and end.
    """

    # Twisted declares any transport, or none; a stream's has more.
    transport: ITCPTransport

    #: Who is at the other end, as whoever built it knows; else the transport knows.
    peer: IAddress | None = None

    #: Bytes received, each of which was handed to the transport to be sent back.
    received_bytes = 0

    #: Whether it ends because nothing moved on it.
    has_timed_out = False

    _is_closing = False

    def __init__(self, observer: ConnectionObserver | None = None) -> None:
        self._observer = observer

    def connectionMade(self) -> None:
        transport = self.transport
        if ITCPTransport.providedBy(transport):
            # An answer must not wait for the acknowledgement of the last one.
            transport.setTcpNoDelay(True)
        # The transport is its own producer: it stops reading while it has too
        # much to write. Without this a peer that never reads costs 203 MiB/s.
        # (StandardIO is a push producer as well, though it does not declare it.)
        producer = cast("IPushProducer", transport)
        IConsumer(transport).registerProducer(producer, True)
        if self._observer is not None:
            self._observer.connection_made(self)

    def dataReceived(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self.transport.write(data)

    def readConnectionLost(self) -> None:
        self.close()

    def writeConnectionLost(self) -> None:
        self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._observer is not None:
            self._observer.connection_lost(self, reason)

    def close(self) -> None:
        """Send what is owed, then end the connection; again does nothing."""
        if self._is_closing:
            return
        self._is_closing = True
        # Unregister first, or a transport that is paused just now never ends.
        IConsumer(self.transport).unregisterProducer()
        self.transport.loseConnection()

    def time_out(self, owed_bytes: int) -> None:
        """
        End the connection because nothing moves on it.

        Args:
            owed_bytes: what its peer has not taken, and must be expected not to.
        """
        self.has_timed_out = True
        if owed_bytes or self._is_closing:
            self.abort()
        else:
            self.close()

    def abort(self) -> None:
        """End the connection at once, where the transport can; what is owed is lost."""
        transport = self.transport
        getattr(transport, "abortConnection", transport.loseConnection)()
