"""Clients' ends of connections and ports, as the contract wants them."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.interfaces import (
    IPushProducer,
    IReactorTime,
    ITCPTransport,
    IUDPTransport,
)
from twisted.internet.protocol import DatagramProtocol, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

# How often an end looks whether something has come.
TURN_S = 0.001

# Two looks so far apart that show the same, show that nothing moves.
PAUSE_S = 0.1


async def turn() -> None:
    """Let the reactor do what there is to do."""
    await deferLater(IReactorTime(reactor), TURN_S)


async def pause() -> None:
    """Long enough for what is under way to go on, if it can."""
    await deferLater(IReactorTime(reactor), PAUSE_S)


class ClientProtocol(Protocol):
    """A ``StreamEnd`` on a real transport."""

    transport: ITCPTransport

    def __init__(self) -> None:
        self._answer = bytearray()
        self._has_ended = False
        self.ended: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self._answer += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._has_ended = True
        self.ended.callback(None)

    def answered(self) -> int:
        """How many bytes have come and not been read."""
        return len(self._answer)

    async def send(self, data: bytes) -> None:
        self.transport.write(data)
        await turn()

    async def finish(self) -> None:
        self.transport.loseWriteConnection()
        await turn()

    async def read(self, size: int) -> bytes:
        IPushProducer(self.transport).resumeProducing()
        while len(self._answer) < size and not self._has_ended:
            await turn()
        taken = bytes(self._answer[:size])
        del self._answer[:size]
        return taken

    async def stop_reading(self) -> None:
        IPushProducer(self.transport).pauseProducing()

    async def abort(self) -> None:
        self.transport.abortConnection()
        await self.ended


class ClientDatagramProtocol(DatagramProtocol):
    """A ``DatagramEnd`` on a real UDP port."""

    noisy = False
    transport: IUDPTransport

    def __init__(self, server: tuple[str, int]) -> None:
        self.received: DeferredQueue[bytes] = DeferredQueue()
        self._server = server

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.received.put(datagram)

    async def send(self, datagram: bytes) -> None:
        self.transport.write(datagram, self._server)

    async def receive(self) -> bytes:
        return await self.received.get()
