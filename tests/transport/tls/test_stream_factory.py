"""TLS connections of a server, and of a client."""

import socket
from collections.abc import AsyncIterator, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from OpenSSL import SSL
from twisted.internet import error, reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from echod import EchoFactory
from echod.transport.nested import NestedReactor
from echod.transport.opening import Opening
from echod.transport.tls.factory import TlsFactory, connect
from echod.transport.tls.failure import HandshakeFailed
from echod.transport.tls.stream import TlsStream

from ...support.ends import ClientProtocol, turn
from ...support.stranger import Stranger, close_at_once, nobody, say_nothing
from ...support.tls import (
    client_connection,
    client_context,
    server_connection,
    server_context,
)


def test_factory() -> None:
    """A factory gives its protocols the peer's address, and tells the other of it."""
    peer = IPv4Address("TCP", "192.0.2.1", 1234)
    echo = EchoFactory(log_connections=False)
    factory = TlsFactory(echo, server_connection, Opening())
    stream = factory.buildProtocol(peer)
    assert stream
    assert factory is stream.factory
    assert peer == stream.getPeer()
    factory.doStart()
    assert 1 == echo.numPorts
    factory.doStop()
    assert 0 == echo.numPorts


def test_factory_that_refuses() -> None:
    """Where the other factory makes no protocol there is no TLS either."""

    class Refusing(EchoFactory):
        def buildProtocol(self, addr: Any) -> Any:
            return None

    made: list[SSL.Connection] = []

    def make_connection() -> SSL.Connection:
        made.append(server_connection())
        return made[-1]

    factory = TlsFactory(Refusing(), make_connection, Opening())
    assert factory.buildProtocol(None) is None
    assert [] == made


class Client(ClientProtocol):
    """A client that keeps the reason of its end."""

    reason = ""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = str(reason.value)
        super().connectionLost(reason)


@pytest_twisted.async_yield_fixture
async def echo() -> AsyncIterator[tuple[TlsFactory, EchoFactory, Any]]:
    """An echo service over TLS: its factories and its port."""
    inner = EchoFactory(log_connections=False)
    factory = TlsFactory(inner, server_connection, Opening())
    port = listening(factory)
    yield factory, inner, port
    await inner.when_idle()
    await port.stopListening()


def listening(factory: TlsFactory) -> Any:
    """A port of the reactor's own."""
    made: Any = reactor
    return made.listenTCP(0, factory, interface="127.0.0.1")


def endpoint(port: Any) -> TCP4ClientEndpoint:
    return TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)


def reaching(
    port: Any, client: Client, connection: SSL.Connection, timeout_s: float = 20
) -> Coroutine[Any, Any, TlsStream]:
    clock = IReactorTime(reactor)
    return connect(endpoint(port), client, connection, timeout_s=timeout_s, clock=clock)


async def test_connect(echo: tuple[TlsFactory, EchoFactory, Any]) -> None:
    """A client is connected when the handshake is complete."""
    client = Client()
    stream = await reaching(echo[2], client, client_connection())
    assert stream is client.transport
    assert stream.is_open
    await client.send(b"hello")
    await client.finish()
    assert b"hello" == await client.read(6)
    await client.ended


async def test_client_refuses(echo: tuple[TlsFactory, EchoFactory, Any]) -> None:
    """A client that does not believe the server raises why, and connects nobody."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: False)
    client = Client()
    with pytest.raises(HandshakeFailed, match="certificate verify failed") as failed:
        await reaching(echo[2], client, client_connection(context))
    assert "certificate" == failed.value.reason
    assert not client.connected
    while not echo[0].counters.failed:
        await turn()
    assert {"alert": 1} == echo[0].counters.failed


async def test_server_refuses() -> None:
    """A client that shows no certificate hears why: too late, with TLS 1.3."""
    context = server_context.__wrapped__()
    required = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(required, lambda *_: False)
    factory = TlsFactory(EchoFactory(), lambda: server_connection(context), Opening())
    port = listening(factory)
    client = Client()
    await reaching(port, client, client_connection())
    await client.ended
    assert "tlsv13 alert certificate required" in client.reason
    assert {"certificate": 1} == factory.counters.failed
    made = client_connection(client_context("1.2"))
    with pytest.raises(HandshakeFailed, match="alert handshake failure") as failed:
        await reaching(port, Client(), made)
    assert "alert" == failed.value.reason
    while factory.counters.failed.total() < 2:
        await turn()
    await port.stopListening()


async def test_no_answer() -> None:
    """A server that does not say anything is given up at the deadline."""
    with Stranger(say_nothing) as stranger:
        port = SimpleNamespace(getHost=lambda: stranger)
        with pytest.raises(HandshakeFailed, match="too long") as failed:
            await reaching(port, Client(), client_connection(), 0.05)
    assert "late" == failed.value.reason


async def test_cancelled() -> None:
    """Who gives up is not told of anything, and leaves no connection."""
    with Stranger(say_nothing) as stranger:
        port = SimpleNamespace(getHost=lambda: stranger)
        reached = Deferred.fromCoroutine(reaching(port, Client(), client_connection()))
        while not stranger.met.is_set():
            await turn()
        await turn()
        reached.cancel()
        with pytest.raises(CancelledError):
            await reached


async def test_no_tls() -> None:
    """A server that speaks something else is recognized."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"220 localhost ESMTP\r\n")

    with Stranger(answer) as stranger:
        port = SimpleNamespace(getHost=lambda: stranger)
        with pytest.raises(HandshakeFailed, match="wrong version") as failed:
            await reaching(port, Client(), client_connection())
    assert "garbage" == failed.value.reason


async def test_server_goes_away() -> None:
    """A server that closes the connection at once is no surprise."""
    with Stranger(close_at_once) as stranger:
        port = SimpleNamespace(getHost=lambda: stranger)
        with pytest.raises(HandshakeFailed, match="peer closed") as failed:
            await reaching(port, Client(), client_connection())
    assert "closed" == failed.value.reason


async def test_nobody_listens() -> None:
    """What the endpoint raises is raised."""
    with nobody(socket.SOCK_STREAM) as number:
        port = SimpleNamespace(getHost=lambda: SimpleNamespace(port=number))
        with pytest.raises(error.ConnectionRefusedError):
            await reaching(port, Client(), client_connection())


async def test_exception_above_ends_one_connection(
    errors: list[LogEvent],
) -> None:
    """What a protocol raises is logged once and ends its connection, no other."""

    class Failing(EchoFactory):
        def buildProtocol(self, addr: Any) -> Any:
            built = super().buildProtocol(addr)
            real = built.dataReceived

            def received(data: bytes) -> None:
                if data == b"fail":
                    raise ZeroDivisionError
                real(data)

            built.dataReceived = received  # type: ignore[method-assign]
            return built

    inner = Failing(log_connections=False)
    factory = TlsFactory(inner, server_connection, Opening())
    for runs in (reactor, NestedReactor(IReactorFDSet(reactor))):
        made: Any = runs
        port = made.listenTCP(0, factory, interface="127.0.0.1")
        bad, good = Client(), Client()
        await reaching(port, good, client_connection())
        await reaching(port, bad, client_connection())
        await bad.send(b"fail")
        await bad.ended
        await good.send(b"hello")
        assert b"hello" == await good.read(5)
        await good.abort()
        await inner.when_idle()
        await port.stopListening()
        logged = [it.get("log_failure") or it["failure"] for it in errors]
        assert [ZeroDivisionError] == [it.type for it in logged]
        errors.clear()
