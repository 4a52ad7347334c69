"""An open TLS connection, between its peer and the protocol above it."""

import gc
import weakref
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ISSLTransport,
    ISystemHandle,
)
from zope.interface.verify import verifyObject

from echod import EchoProtocol
from echod.transport.eager import EagerServer

from ...support.certificate import certificate
from ...support.side import HalfCloseable, Plain
from ...support.tls import (
    VERSIONS,
    Pair,
    Peer,
    TlsSide,
    client_connection,
    client_context,
    server_connection,
)

KINDS = (tcp.Server, EagerServer)

pytestmark = pytest.mark.parametrize("version", VERSIONS)


def opened(
    inner: Any, version: str, kind: type[tcp.Server] = EagerServer
) -> tuple[TlsSide, Peer]:
    """A server's end that is open, and its peer."""
    side = TlsSide(inner, server_connection(), kind)
    peer = Peer(side, client_connection(client_context(version)))
    peer.exchange()
    assert side.stream.is_open
    return side, peer


def assert_ended(side: TlsSide) -> None:
    """The connection is closed in order, with nothing left behind."""
    assert side.is_lost
    assert side.socket.is_finished
    assert side.socket.is_closed
    assert side.link not in side.switchboard.readers
    assert side.link not in side.switchboard.writers


@pytest.mark.parametrize("kind", KINDS)
def test_half_close_by_close_notify(version: str, kind: type[tcp.Server]) -> None:
    """All before close_notify is delivered; what is written after it is sent."""
    inner = HalfCloseable()
    side, peer = opened(inner, version, kind)
    peer.connection.send(b"last")
    peer.say_end()
    assert (b"last", ["read"]) == (bytes(inner.received), inner.told)
    side.stream.write(b"answer")
    side.stream.write(bytes(40_000))
    peer.exchange()
    assert b"answer" + bytes(40_000) == peer.received
    side.stream.loseConnection()
    peer.exchange()
    assert ["read", "ConnectionDone"] == inner.told
    assert [SSL.ZeroReturnError] == [type(it) for it in peer.errors]
    assert_ended(side)
    assert 0 == side.counters.truncated


@pytest.mark.parametrize("kind", KINDS)
def test_half_close_by_bare_fin(version: str, kind: type[tcp.Server]) -> None:
    """The same of a FIN without close_notify, which is counted."""
    inner = HalfCloseable()
    side, peer = opened(inner, version, kind)
    peer.connection.send(b"last")
    side.socket.arrive(peer.connection.bio_read(1000))
    side.socket.end()
    side.settle()
    assert (b"last", ["read"]) == (bytes(inner.received), inner.told)
    assert 1 == side.counters.truncated
    side.stream.resumeProducing()
    side.settle()
    side.stream.write(b"answer")
    side.stream.loseConnection()
    peer.exchange()
    assert b"answer" == peer.received
    assert ["read", "ConnectionDone"] == inner.told
    assert_ended(side)


def test_fin_after_close_notify(version: str) -> None:
    """A FIN is no news after close_notify, and neither is more data."""
    inner = HalfCloseable()
    side, peer = opened(inner, version)
    peer.say_end()
    side.receive(b"more")
    side.socket.end()
    side.settle()
    assert ["read"] == inner.told
    assert (0, 0) == (side.counters.truncated, side.counters.broken)
    side.stream.loseConnection()
    side.settle()
    assert_ended(side)


@pytest.mark.parametrize("says_end", [True, False])
def test_half_close_of_who_knows_none(version: str, says_end: bool) -> None:
    """A protocol without half-closes loses the connection; what it wrote is sent."""
    inner = Plain()
    side, peer = opened(inner, version)
    side.socket.room = 10
    side.stream.write(b"answer")
    if says_end:
        peer.say_end()
    else:
        side.socket.end()
        side.settle()
    assert [] == inner.told
    side.socket.room = 1000
    side.settle()
    peer.exchange()
    assert b"answer" == peer.received
    assert ["ConnectionDone"] == inner.told
    assert [SSL.ZeroReturnError] == [type(it) for it in peer.errors]
    assert_ended(side)


def test_lose_connection(version: str) -> None:
    """All that was written goes out, then close_notify, then the end."""
    inner = Plain()
    side, peer = opened(inner, version)
    side.socket.room = 0
    side.stream.write(bytes(100_000))
    side.stream.loseConnection()
    side.stream.loseConnection()
    side.stream.write(b"dropped")
    peer.connection.send(b"late")
    side.receive(peer.connection.bio_read(1000))
    assert not side.is_lost
    side.socket.room = 1 << 20
    side.settle()
    peer.exchange()
    assert bytes(100_000) == peer.received
    assert [SSL.ZeroReturnError] == [type(it) for it in peer.errors]
    assert (b"", ["ConnectionDone"]) == (bytes(inner.received), inner.told)
    assert_ended(side)


def test_lose_connection_within_a_read(version: str) -> None:
    """Who loses the connection hears nothing more, of the same read either."""

    class Once(HalfCloseable):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            assert self.transport
            self.transport.loseConnection()

    inner = Once()
    side, peer = opened(inner, version)
    peer.connection.send(b"first")
    peer.connection.shutdown()
    side.receive(peer.connection.bio_read(1000))
    assert (b"first", ["ConnectionDone"]) == (bytes(inner.received), inner.told)
    assert_ended(side)


def test_lose_connection_when_made(version: str) -> None:
    """Who loses the connection at once gets no data that came with it."""

    class Greeting(HalfCloseable):
        def connectionMade(self) -> None:
            assert self.transport
            self.transport.write(b"hello")

        def readConnectionLost(self) -> None:
            super().readConnectionLost()
            assert self.transport
            self.transport.loseConnection()

    class Refusing(Plain):
        def connectionMade(self) -> None:
            assert self.transport
            self.transport.loseConnection()

    inner = Refusing()
    client = Greeting()
    pair = Pair(
        TlsSide(client, client_connection(client_context(version))),
        TlsSide(inner, server_connection()),
    )
    pair.exchange()
    assert (b"", ["ConnectionDone"]) == (bytes(inner.received), inner.told)
    assert ["read", "ConnectionDone"] == client.told
    assert_ended(pair.server)


def test_lose_write_connection(version: str) -> None:
    """The peer gets close_notify and FIN; reading goes on."""
    inner = HalfCloseable()
    side, peer = opened(inner, version)
    side.stream.write(b"last")
    side.stream.loseWriteConnection()
    side.stream.loseWriteConnection()
    side.stream.write(b"dropped")
    peer.exchange()
    assert b"last" == peer.received
    assert [SSL.ZeroReturnError] == [type(it) for it in peer.errors]
    assert side.socket.is_finished
    peer.say(b"hello")
    assert (b"hello", ["write"]) == (bytes(inner.received), inner.told)
    peer.say_end()
    side.stream.loseConnection()
    side.settle()
    assert ["write", "read", "ConnectionDone"] == inner.told
    assert_ended(side)


def test_lose_write_connection_of_who_knows_none(version: str) -> None:
    """A protocol without half-closes may half-close, as on TCP."""
    inner = Plain()
    side, peer = opened(inner, version)
    side.stream.loseWriteConnection()
    peer.exchange()
    peer.say(b"hello")
    assert (b"hello", []) == (bytes(inner.received), inner.told)
    peer.say_end()
    side.settle()
    assert ["ConnectionDone"] == inner.told
    assert_ended(side)


@pytest.mark.parametrize("kind", KINDS)
def test_abort(version: str, kind: type[tcp.Server]) -> None:
    """An abort sends nothing more, and ends in the next turn."""
    inner = HalfCloseable()
    side, _ = opened(inner, version, kind)
    side.socket.room = 0
    side.stream.write(b"unsent")
    side.stream.abortConnection()
    side.stream.write(b"dropped")
    assert [] == inner.told
    side.settle()
    assert ["ConnectionAborted"] == inner.told
    assert b"" == side.take_sent()
    assert side.socket.is_closed
    assert not side.socket.is_finished
    side.stream.abortConnection()
    side.stream.loseConnection()
    side.stream.loseWriteConnection()


@pytest.mark.parametrize("kind", KINDS)
def test_reset(version: str, kind: type[tcp.Server]) -> None:
    """A peer that resets is lost, whatever it is owed."""
    inner = HalfCloseable()
    side, _ = opened(inner, version, kind)
    side.socket.room = 0
    side.stream.write(b"unsent")
    side.socket.break_off()
    side.settle()
    assert ["ConnectionLost"] == inner.told
    assert side.socket.is_closed


def test_broken_record(version: str) -> None:
    """What was right is delivered; then the connection is lost, with an alert."""
    reasons: list[str] = []

    class Asking(HalfCloseable):
        def connectionLost(self, reason: Any = None) -> None:
            super().connectionLost(reason)
            reasons.append(str(reason.value))

    inner = Asking()
    side, peer = opened(inner, version)
    peer.connection.send(b"right")
    right = peer.connection.bio_read(1000)
    side.receive(right + b"\x17\x03\x03\x00\x30" + bytes(48))
    assert (b"right", ["ConnectionLost"]) == (bytes(inner.received), inner.told)
    assert "decryption failed or bad record mac" in reasons[0]
    assert (1, 0) == (side.counters.broken, side.counters.truncated)
    peer.exchange()
    assert "alert bad record mac" in str(peer.errors[0])
    assert_ended(side)


def test_broken_record_alone(version: str) -> None:
    """The same where it is all that comes."""
    inner = HalfCloseable()
    side, _ = opened(inner, version)
    side.receive(b"\x17\x03\x03\x00\x30" + bytes(48))
    assert ["ConnectionLost"] == inner.told
    assert 1 == side.counters.broken
    assert_ended(side)


def test_write_that_fails(version: str) -> None:
    """A connection that OpenSSL will not write to is lost, not an exception."""
    inner = HalfCloseable()
    side, _ = opened(inner, version)

    def send(_: bytes) -> int:
        raise SSL.Error([("", "", "no luck")])

    connection: Any = side.stream.connection
    connection.send = send
    side.stream.write(b"hello")
    side.settle()
    assert ["ConnectionLost"] == inner.told
    assert 1 == side.counters.broken
    assert_ended(side)


def test_renegotiation_is_refused(version: str) -> None:
    """Who wants other keys within TLS 1.2 hears that there are none."""
    inner = HalfCloseable()
    _, peer = opened(inner, version)
    if version != "1.2":
        return
    peer.connection.renegotiate()
    with pytest.raises(SSL.WantReadError):
        peer.connection.do_handshake()
    peer.exchange()
    assert "no renegotiation" in str(peer.errors[0])
    assert b"" == inner.received


def test_what_can_be_written(version: str) -> None:
    """Anything that is bytes can be written, and nothing is no record."""
    side, peer = opened(Plain(), version)
    stream: Any = side.stream
    stream.write(bytearray(b"a"))
    stream.write(memoryview(b"b"))
    stream.write(b"")
    stream.writeSequence([b"c", b"", b"d"])
    stream.writeSequence([])
    with pytest.raises(TypeError):
        stream.write("e")
    peer.exchange()
    assert b"abcd" == peer.received


def test_exception_above(version: str) -> None:
    """What the protocol raises is the raw transport's, as on any transport."""

    class Failing(Plain):
        def dataReceived(self, data: bytes) -> None:
            raise ZeroDivisionError

    _, peer = opened(Failing(), version)
    with pytest.raises(ZeroDivisionError):
        peer.say(b"hello")


def test_what_a_transport_is(version: str) -> None:
    """A protocol finds what it finds on Twisted's transports."""
    inner = Plain()
    side, _ = opened(inner, version)
    stream = side.stream
    for interface in (
        ISSLTransport,
        IConsumer,
        IPushProducer,
        ISystemHandle,
        IHalfCloseableProtocol,
    ):
        verifyObject(interface, stream)
    assert stream.TLS
    assert stream.connected
    assert not stream.disconnecting
    assert IPv4Address("TCP", "127.0.0.1", 50_000) == stream.getPeer()
    assert IPv4Address("TCP", "127.0.0.1", 65_432) == stream.getHost()
    assert side.socket is stream.getHandle()
    assert stream.getPeerCertificate() is None
    options: dict[Any, Any] = {}
    system: Any = side.socket
    system.setsockopt = lambda _, name, value: options.update({name: value})
    system.getsockopt = lambda _, name: options[name]
    stream.setTcpNoDelay(True)
    stream.setTcpKeepAlive(False)
    assert stream.getTcpNoDelay()
    assert not stream.getTcpKeepAlive()
    stream.loseConnection()
    assert stream.disconnecting
    side.settle()
    assert not stream.connected


def test_certificate_of_the_peer(version: str) -> None:
    """A client finds the server's certificate."""
    shown = certificate()
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(shown.original.to_cryptography())
    context.use_privatekey(shown.privateKey.original.to_cryptography_key())
    pair = Pair(
        TlsSide(HalfCloseable(), client_connection(client_context(version))),
        TlsSide(HalfCloseable(), server_connection(context)),
    )
    pair.exchange()
    found = pair.client.stream.getPeerCertificate()
    assert shown.original.to_cryptography() == found.to_cryptography()


@pytest.mark.parametrize("is_open", [True, False])
def test_nothing_waits_for_the_collector(version: str, is_open: bool) -> None:
    """A connection that has ended leaves no circle behind, open or not."""
    gc.collect()
    gc.disable()
    try:
        side = TlsSide(EchoProtocol(), server_connection())
        peer = Peer(side, client_connection(client_context(version)))
        left = [weakref.ref(it) for it in (side.stream, side.stream.connection)]
        if is_open:
            peer.say(b"hello")
            peer.say_end()
        else:
            side.receive(b"GET / HTTP/1.1\r\n\r\n")
        assert_ended(side)
        del side, peer
        assert [None, None] == [it() for it in left]
    finally:
        gc.enable()
