"""Handshakes that are completed, and those that are not."""

import ssl
import struct
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet import tcp

from echod import EchoFactory
from echod.transport.eager import EagerServer
from echod.transport.opening import Opening
from echod.transport.tls.factory import TlsFactory
from echod.transport.tls.failure import HandshakeFailed, Reason

from ...support.certificate import certificate
from ...support.side import Plain
from ...support.tls import (
    VERSIONS,
    Peer,
    TlsSide,
    client_connection,
    client_context,
    server_connection,
    server_context,
)

#: Bytes of alerts before there are keys: type, version, length, level, description.
PROTOCOL_VERSION = bytes.fromhex("15 0303 0002 02 46")
UNEXPECTED_MESSAGE = bytes.fromhex("15 0303 0002 02 0a")
HANDSHAKE_FAILURE = bytes.fromhex("15 0303 0002 02 28")


def hello(size: int, announced: int | None = None) -> bytes:
    """The begin of a hello of a client, in records."""
    whole = struct.pack(">I", 1 << 24 | (announced or size)) + b"\x03\x03" + bytes(size)
    pieces = [whole[it : it + 16_384] for it in range(0, len(whole), 16_384)]
    return b"".join(b"\x16\x03\x01" + len(it).to_bytes(2) + it for it in pieces)


@pytest.fixture
def side() -> TlsSide:
    """A server's end."""
    return TlsSide(Plain(), server_connection())


def assert_failed(side: TlsSide, reason: Reason) -> None:
    """It has come to nothing, of which nothing is left."""
    assert side.is_lost
    assert side.socket.is_closed
    assert {reason: 1} == side.counters.failed
    assert 0 == side.counters.handshakes == side.counters.broken
    assert 0 == len(side.opening)
    assert not side.stream.is_open


@pytest.fixture(autouse=True)
def _nothing_is_logged(lines: list[str]) -> Iterator[None]:
    yield
    assert [] == lines


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", [tcp.Server, EagerServer])
def test_open_when_complete(version: str, kind: type[tcp.Server]) -> None:
    """The protocol hears of a connection when the handshake is complete."""
    inner = Plain()
    side = TlsSide(inner, server_connection(), kind)
    assert not inner.connected
    assert 1 == len(side.opening)
    Peer(side, client_connection(client_context(version))).exchange()
    assert inner.connected
    assert side.stream is inner.transport
    assert side.stream.is_open
    assert 1 == side.counters.handshakes
    assert 0 == len(side.opening)
    assert f"TLSv{version}" == side.stream.connection.get_protocol_version_name()


def test_data_with_the_last_flight() -> None:
    """What comes together with the end of the handshake is delivered."""
    inner = Plain()
    side = TlsSide(inner, server_connection())
    client = client_connection()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    side.receive(client.bio_read(1 << 20))
    client.bio_write(side.take_sent())
    client.do_handshake()
    sent = bytes(range(256)) * 300
    for begin in range(0, len(sent), 10_000):
        client.send(sent[begin : begin + 10_000])
    side.receive(client.bio_read(1 << 20))
    assert sent == inner.received


@pytest.mark.parametrize(
    ("sent", "reason", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "garbage", b""),
        (b"CONNECT localhost:443 HTTP/1.1\r\n\r\n", "garbage", b""),
        (b"EHLO localhost\r\n", "garbage", b""),
        (bytes(100), "garbage", b""),
        (bytes.fromhex("17 0303 0001 00"), "garbage", UNEXPECTED_MESSAGE),
        (bytes.fromhex("15 0303 0002 02 28"), "garbage", UNEXPECTED_MESSAGE),
    ],
)
def test_garbage(side: TlsSide, sent: bytes, reason: Reason, answer: bytes) -> None:
    """Who speaks no TLS gets an alert if anything, and is counted."""
    side.receive(sent)
    assert_failed(side, reason)
    assert answer == side.take_sent()


@given(sent=st.binary(min_size=20, max_size=2000))
@settings(max_examples=100)
def test_any_garbage(sent: bytes) -> None:
    """Nothing that is sent raises anything, or opens a connection."""
    inner = Plain()
    side = TlsSide(inner, server_connection())
    side.receive(sent)
    side.socket.end()
    side.settle()
    assert side.is_lost
    assert 1 == side.counters.failed.total()
    assert not inner.connected


@given(at=st.integers(0, 1500), value=st.integers(0, 255))
@settings(max_examples=100)
def test_any_wrong_byte(at: int, value: int) -> None:
    """A hello with a wrong byte ends in a handshake, a failure or a wait."""
    side = TlsSide(Plain(), server_connection())
    client = client_connection()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    said = bytearray(client.bio_read(1 << 20))
    said[at % len(said)] = value
    side.receive(bytes(said))
    side.socket.end()
    side.settle()
    assert side.is_lost
    assert 1 == side.counters.failed.total()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_version(side: TlsSide, version: ssl.TLSVersion) -> None:
    """TLS 1.1 and before is refused with the alert that says why."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    side.receive(outgoing.read())
    assert_failed(side, "version")
    alert = side.take_sent()
    assert PROTOCOL_VERSION == alert[:1] + b"\x03\x03" + alert[3:]


def test_no_common_cipher(side: TlsSide) -> None:
    """A client that knows none of the ciphers is refused."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"ECDHE-RSA-AES128-GCM-SHA256")
    peer = Peer(side, client_connection(context))
    peer.exchange()
    assert_failed(side, "cipher")
    assert ["tls alert handshake failure"] == [it.args[0][0][2] for it in peer.errors]


@pytest.mark.parametrize("version", VERSIONS)
def test_no_certificate(version: str) -> None:
    """A client that must show a certificate and does not gets to know."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(VERSIONS[version])
    required = _requiring(version)
    side = TlsSide(Plain(), server_connection(required))
    peer = Peer(side, client_connection(context))
    peer.exchange()
    assert_failed(side, "certificate")
    assert 1 == len(peer.errors)


def _requiring(version: str) -> SSL.Context:
    """A server's context that requires certificates of clients."""
    context = server_context.__wrapped__(version)
    context.set_verify(
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: False
    )
    return context


@pytest.mark.parametrize("version", VERSIONS)
def test_client_refuses_the_certificate(side: TlsSide, version: str) -> None:
    """A client that does not believe us is counted as an alert."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(VERSIONS[version])
    context.set_verify(SSL.VERIFY_PEER, lambda *_: False)
    peer = Peer(side, client_connection(context))
    peer.exchange()
    assert_failed(side, "alert")


@pytest.mark.parametrize("is_reset", [False, True])
@pytest.mark.parametrize("sent", [b"", b"\x16\x03", hello(500, 1000)])
def test_peer_goes_away(side: TlsSide, sent: bytes, is_reset: bool) -> None:
    """A peer that leaves within the handshake is counted."""
    side.receive(sent)
    assert not side.is_lost
    if is_reset:
        side.socket.break_off()
    else:
        side.socket.end()
    side.settle()
    assert_failed(side, "closed")


@pytest.mark.parametrize("version", VERSIONS)
def test_peer_says_that_it_goes_away(side: TlsSide, version: str) -> None:
    """A close_notify within the handshake is the same."""
    client = client_connection(client_context(version))
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    side.receive(client.bio_read(1 << 20))
    side.receive(bytes.fromhex("15 0303 0002 01 00"))
    assert_failed(side, "closed")


def test_long_hello(side: TlsSide) -> None:
    """A hello is at most 16 KiB long."""
    side.receive(hello(15_000, 60_000))
    assert not side.is_lost
    side.receive(hello(3000))
    assert_failed(side, "size")


def test_long_hello_at_once(side: TlsSide) -> None:
    """The same of one that is all there, however much follows."""
    side.receive(hello(130_000, 131_000))
    assert_failed(side, "size")


@pytest.mark.parametrize(("certificates", "is_right"), [(80, True), (200, False)])
def test_long_flight(certificates: int, is_right: bool) -> None:
    """After the hello a client has 64 KiB for the rest of the handshake."""
    asking = server_context.__wrapped__()
    asking.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    asking.set_verify_depth(certificates)
    side = TlsSide(Plain(), server_connection(asking))
    context = SSL.Context(SSL.TLS_METHOD)
    shown = certificate()
    itself = shown.original.to_cryptography()
    context.use_certificate(itself)
    context.use_privatekey(shown.privateKey.original.to_cryptography_key())
    for _ in range(certificates):
        context.add_extra_chain_cert(itself)
    Peer(side, client_connection(context)).exchange()
    if is_right:
        assert side.stream.is_open
    else:
        assert_failed(side, "size")


def test_late(side: TlsSide) -> None:
    """Who takes too long is broken off."""
    side.receive(hello(500, 1000))
    side.stream.is_late()
    side.settle()
    assert_failed(side, "late")
    assert not side.socket.is_finished


def test_deadline() -> None:
    """The deadline is the one that was given, and does not hold any more once open."""
    now_s = 0.0
    opening = Opening(lambda: now_s)
    echo = EchoFactory(log_connections=False)
    factory = TlsFactory(echo, server_connection, opening, timeout_s=7)
    streams: list[Any] = [factory.buildProtocol(None) for _ in range(2)]
    sides = [_on(it) for it in streams]
    Peer(sides[0], client_connection()).exchange()
    now_s = 6.9
    opening.end_late()
    assert 1 == len(opening)
    now_s = 7.1
    opening.end_late()
    for side in sides:
        side.settle()
    assert {"late": 1} == factory.counters.failed
    assert [False, True] == [it.is_lost for it in sides]
    assert 1 == len(echo.connections)


def _on(stream: Any) -> TlsSide:
    """The end of a stream that a factory has made."""
    side = TlsSide.__new__(TlsSide)
    side.stream = stream
    super(TlsSide, side).__init__(EagerServer, stream)
    side.socket.room = 1 << 30
    return side


def test_service_ends(side: TlsSide) -> None:
    """A handshake that is under way when the service ends is broken off."""
    side.opening.abort()
    side.settle()
    assert_failed(side, "stopped")


def test_given_up_by_its_maker(side: TlsSide) -> None:
    """To close a connection that is not open yet is to break it off, once."""
    side.stream.loseConnection()
    side.stream.loseConnection()
    side.settle()
    assert_failed(side, "stopped")


def test_alert_waits_for_room() -> None:
    """The alert goes out before the connection is closed, if that is possible."""
    side = TlsSide(Plain(), server_connection())
    side.socket.room = 0
    side.receive(bytes.fromhex("17 0303 0001 00"))
    assert not side.is_lost
    assert 1 == len(side.opening)
    side.socket.room = 100
    side.settle()
    assert UNEXPECTED_MESSAGE == side.take_sent()
    assert_failed(side, "garbage")


def test_alert_does_not_wait_for_ever() -> None:
    """A peer that takes no alert is broken off late, for the first reason."""
    side = TlsSide(Plain(), server_connection())
    side.socket.room = 0
    side.receive(bytes.fromhex("17 0303 0001 00"))
    side.stream.is_late()
    side.settle()
    assert_failed(side, "garbage")


def test_failed_connection_reads_nothing(side: TlsSide) -> None:
    """What comes after the failure is left where it is."""
    side.socket.room = 0
    side.receive(bytes.fromhex("17 0303 0001 00"))
    asked = len(side.socket.asked)
    side.receive(bytes(100_000))
    side.socket.end()
    side.settle()
    assert asked == len(side.socket.asked)


def test_told() -> None:
    """Who asks is told how it ended: by nothing, or by the failure."""
    told: list[HandshakeFailed | None] = []
    good = TlsSide(Plain(), server_connection(), told=told.append)
    Peer(good, client_connection()).exchange()
    assert [None] == told
    bad = TlsSide(Plain(), server_connection(), told=told.append)
    bad.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert "garbage" == getattr(told.pop(), "reason", None)
    good.socket.end()
    good.settle()
    assert [None] == told


def test_bug_in_a_callback_is_no_failure_of_the_peers() -> None:
    """What is raised that is not OpenSSL's goes to the raw transport, as any bug."""

    class Buggy(SSL.Connection):
        def do_handshake(self) -> None:
            raise ZeroDivisionError

    connection = Buggy(server_context(), None)
    with pytest.raises(ZeroDivisionError):
        TlsSide(Plain(), connection)
