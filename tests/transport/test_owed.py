"""What ``owed_bytes`` finds in each kind of transport."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.internet.testing import StringTransport

from echod import EchoFactory
from echod.transport.nested import NestedReactor
from echod.transport.owed import owed_bytes

from ..support.ends import ClientProtocol, turn

#: More than a peer's system takes that does not read.
MANY = 32 * 1024 * 1024


@pytest.fixture
def factory() -> EchoFactory:
    return EchoFactory(log_connections=False)


def fast() -> Any:
    return NestedReactor(IReactorFDSet(reactor))


async def settled(transport: Any) -> int:
    """What is owed when it no longer changes: the peer's system takes its time."""
    owed = -1
    while owed != (owed := owed_bytes(transport)):
        for _ in range(50):
            await turn()
    return owed


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
async def test_what_the_peer_has_not_taken_is_owed(
    factory: EchoFactory, family: socket.AddressFamily, tmp_path: Any
) -> None:
    """Nothing is owed at first, then what the peer leaves, and none when it took it."""
    path = str(tmp_path / "echo.sock")
    nested = fast()
    where: Any = path
    if family == socket.AF_INET:
        port = nested.listenTCP(0, factory, interface="127.0.0.1")
        where = ("127.0.0.1", port.getHost().port)
    else:
        port = nested.listenUNIX(path, factory)
    with socket.socket(family) as client:
        client.connect(where)
        client.setblocking(False)
        while not factory.connections:
            await turn()
        (connection,) = factory.connections
        transport: Any = connection.transport
        assert 0 == owed_bytes(transport)
        transport.write(bytes(MANY))
        owed = await settled(transport)
        assert 0 < owed < MANY
        left = MANY
        while left:
            try:
                left -= len(client.recv(1 << 20))
            except BlockingIOError:
                await turn()
        assert 0 == await settled(transport)
    await factory.when_idle()
    await port.stopListening()


async def test_connection_that_has_ended_is_owed_nothing(factory: EchoFactory) -> None:
    """A transport whose socket is gone has nothing to tell."""
    port = fast().listenTCP(0, factory, interface="127.0.0.1")
    endpoint = TCP4ClientEndpoint(fast(), "127.0.0.1", port.getHost().port)
    client = ClientProtocol()
    await connectProtocol(endpoint, client)
    while not factory.connections:
        await turn()
    (connection,) = factory.connections
    transport = connection.transport
    await client.abort()
    await factory.when_idle()
    assert 0 == owed_bytes(transport)
    await port.stopListening()


class Ending(Protocol):
    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback(None)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


async def test_standard_output_has_no_socket(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """Of standard output nothing is known, whatever waits there."""
    ours, _ = pair
    protocol = Ending()
    made: Any = StandardIO
    standard = made(protocol, ours.fileno(), ours.fileno(), reactor=reactor)
    standard.write(bytes(MANY))
    await turn()
    assert 0 == owed_bytes(standard)
    standard.connectionLost(None)
    await protocol.ended


def test_transport_without_a_socket() -> None:
    """A transport that has no socket, or a closed one, owes nothing."""
    assert 0 == owed_bytes(StringTransport())
    assert 0 == owed_bytes(None)
    closed: Any = StringTransport()
    with socket.socket() as opened:
        closed.getHandle = lambda: opened
    assert 0 == owed_bytes(closed)
