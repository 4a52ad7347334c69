"""A stream transport in memory; the contract holds it against the real ones."""

from collections.abc import Iterable

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IProducer, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from echod import EchoProtocol

# Twisted's FileDescriptor.bufferSize: a producer is paused above it.
BUFFER_BYTES = 65_536
READ_BYTES = 65_536


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryTransport:
    """
    Both ends of a connection: the transport of ``server``, and a ``StreamEnd``.

    Each piece that is sent is delivered at once, as far as the server reads.
    """

    disconnecting = False

    def __init__(self, server: EchoProtocol) -> None:
        self._server = server
        self._to_server = bytearray()
        self._to_client = bytearray()
        self._client_has_finished = False
        self._client_reads = True
        self._server_reads = True
        self._producer: IPushProducer | None = None
        self._is_lost = False
        server.makeConnection(self)

    # The server's transport.

    def write(self, data: bytes) -> None:
        self._to_client += data
        is_full = not self._client_reads and len(self._to_client) > BUFFER_BYTES
        if self._producer is not None and is_full:
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        assert streaming
        self._producer = IPushProducer(producer)

    def unregisterProducer(self) -> None:
        self._producer = None

    def pauseProducing(self) -> None:
        self._server_reads = False

    def resumeProducing(self) -> None:
        self._server_reads = not self.disconnecting

    def stopProducing(self) -> None:
        self.loseConnection()

    def loseConnection(self) -> None:
        # As in Twisted, a connection with a paused producer never ends.
        self.disconnecting = True
        self._end_if_flushed()

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 50_000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 65_432)

    # The client's end.

    async def send(self, data: bytes) -> None:
        self._to_server += data
        self._deliver()

    async def finish(self) -> None:
        self._client_has_finished = True
        self._deliver()

    async def read(self, size: int) -> bytes:
        self._client_reads = True
        answer = bytearray()
        while len(answer) < size:
            piece = self._to_client[: size - len(answer)]
            del self._to_client[: len(piece)]
            answer += piece
            if not self._to_client and self._producer is not None:
                self._producer.resumeProducing()
            self._deliver()
            if not piece and not self._to_client:
                break
        self._end_if_flushed()
        return bytes(answer)

    async def stop_reading(self) -> None:
        self._client_reads = False

    async def abort(self) -> None:
        self._lose(Failure(ConnectionLost()))

    def _deliver(self) -> None:
        while self._to_server and self._server_reads and not self.disconnecting:
            piece = bytes(self._to_server[:READ_BYTES])
            del self._to_server[:READ_BYTES]
            self._server.dataReceived(piece)
        is_at_end = self._client_has_finished and not self._to_server
        if is_at_end and self._server_reads and not self.disconnecting:
            self._server.readConnectionLost()

    def _end_if_flushed(self) -> None:
        is_flushed = not self._to_client or self._client_reads
        if self.disconnecting and is_flushed and self._producer is None:
            self._lose(Failure(ConnectionDone()))

    def _lose(self, reason: Failure) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._server.connectionLost(reason)
