"""TLS connections of a server, and of a client."""

from collections.abc import Callable
from contextlib import suppress

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import AlreadyCalled
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory

from ..opening import Opening
from .failure import HandshakeFailed
from .handshakes import Handshakes
from .stream import TlsStream


class TlsFactory(Factory[TlsStream]):
    """
    Puts TLS below the protocols of another factory.

    Args:
        inner: makes the protocols. It is asked before there is a handshake, and refuses
            a connection by making none; but a protocol whose handshake fails never
            hears of a connection, and not of its end either.
        make_connection: a new one, over memory, in its accept state.
        opening: tells connections when their time for the handshake is over.
        timeout_s: how long a handshake may take; 0 for as long as it likes.

    Attributes:
        counters: what has happened so far.
    """

    noisy = False

    def __init__(
        self,
        inner: IProtocolFactory,
        make_connection: Callable[[], SSL.Connection],
        opening: Opening,
        *,
        timeout_s: float = 10.0,
    ) -> None:
        self.inner = inner
        self.make_connection = make_connection
        self._handshakes = Handshakes(opening, timeout_s)
        self.counters = self._handshakes.counters

    def doStart(self) -> None:
        super().doStart()
        self.inner.doStart()

    def doStop(self) -> None:
        super().doStop()
        self.inner.doStop()

    def buildProtocol(self, addr: IAddress | None) -> TlsStream | None:
        # Twisted's connections all have an address; echod's factories need none.
        inner = self.inner.buildProtocol(addr)  # type: ignore[arg-type]
        if inner is None:
            return None
        stream = TlsStream(inner, self.make_connection(), self._handshakes, peer=addr)
        stream.factory = self
        return stream


async def connect(
    endpoint: IStreamClientEndpoint,
    inner: IProtocol,
    connection: SSL.Connection,
    *,
    timeout_s: float,
    clock: IReactorTime,
) -> TlsStream:
    """
    Args:
        endpoint: of the raw connection.
        inner: it hears nothing unless this returns.
        connection: over memory, in its connect state.
        timeout_s: how long the handshake may take.
        clock: keeps the time.

    Returns:
        The transport of ``inner``, which is connected.

    Raises:
        HandshakeFailed: there was no handshake.
        Exception: the endpoint's, as it connects.
    """
    done: Deferred[None] = Deferred(lambda _: stream.abort())

    def told(failure: HandshakeFailed | None) -> None:
        if done.called:
            return  # Nobody wants to know any more.
        if failure is None:
            done.callback(None)
        else:
            done.errback(failure)

    stream = TlsStream(inner, connection, Handshakes(), told=told)
    await connectProtocol(endpoint, stream)
    late = clock.callLater(timeout_s, stream.is_late)
    try:
        await done
    finally:
        with suppress(AlreadyCalled):
            late.cancel()
    return stream
