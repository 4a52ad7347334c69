"""Who may write, who is read from, and when."""

from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet import tcp

from echod import EchoFactory, EchoProtocol
from echod.transport.eager import EagerServer
from echod.transport.tls.flow import MAX_ANSWER_BYTES

from ...support.side import ENDLESS, HalfCloseable, Plain, Pull, Push
from ...support.tls import (
    KeyUpdates,
    Peer,
    TlsSide,
    client_connection,
    server_connection,
)

KINDS = (tcp.Server, EagerServer)

pytestmark = pytest.mark.parametrize("kind", KINDS)


def opened(inner: Any, kind: type[tcp.Server]) -> tuple[TlsSide, Peer]:
    side = TlsSide(inner, server_connection(), kind)
    peer = Peer(side, client_connection())
    peer.exchange()
    return side, peer


class Writing:
    """Where a producer of ``support.side`` writes."""

    def __init__(self, side: TlsSide) -> None:
        self.write = side.stream.write


def producer(kind: Any, side: TlsSide, pieces: list[bytes]) -> Any:
    return kind(Writing(side), pieces)


def test_peer_that_does_not_read_is_not_read_from(kind: type[tcp.Server]) -> None:
    """An echo to a peer that never reads keeps a bounded amount, and loses none."""
    factory = EchoFactory(log_connections=False)
    side, peer = opened(factory.buildProtocol(None), kind)
    side.socket.room = 0
    sent = bytes(range(256)) * 4 * 4096
    for begin in range(0, len(sent), 16_384):
        peer.connection.send(sent[begin : begin + 16_384])
    side.receive(peer.connection.bio_read(1 << 23))
    # The transport's watermark, and what one read brought.
    assert 65_536 < side.queued_bytes < 65_536 + 100_000
    side.socket.room = ENDLESS
    side.settle()
    peer.exchange()
    assert sent == peer.received
    assert len(sent) == next(iter(factory.connections)).received_bytes


def test_reading_stops_and_goes_on(kind: type[tcp.Server]) -> None:
    """The protocol may stop the reading; what has been read is delivered."""
    inner = Plain()
    side, peer = opened(inner, kind)
    side.stream.pauseProducing()
    peer.say(b"hello")
    assert b"" == inner.received
    side.stream.resumeProducing()
    side.settle()
    assert b"hello" == inner.received
    side.stream.loseConnection()
    side.stream.resumeProducing()
    assert side.link not in side.switchboard.readers


def test_pushing_producer(kind: type[tcp.Server]) -> None:
    """A producer is told when the raw transport is full, and when it is empty."""
    side, _ = opened(Plain(), kind)
    pushing = producer(Push, side, [])
    side.stream.registerProducer(pushing, True)
    side.socket.room = 0
    side.stream.write(bytes(1000))
    assert [] == pushing.told
    side.stream.write(bytes(70_000))
    assert ["pause"] == pushing.told
    side.socket.room = ENDLESS
    side.settle()
    assert ["pause", "resume"] == pushing.told
    with pytest.raises(RuntimeError, match="is registered"):
        side.stream.registerProducer(pushing, True)
    side.stream.unregisterProducer()
    side.stream.registerProducer(pushing, True)
    side.socket.break_off()
    side.settle()
    assert ["pause", "resume", "stop"] == pushing.told


def test_producer_that_was_not_told_to_pause(kind: type[tcp.Server]) -> None:
    """Who comes while the transport is full is not told to go on, but to pause."""
    side, _ = opened(Plain(), kind)
    side.socket.room = 0
    side.stream.write(bytes(70_000))
    pushing = producer(Push, side, [])
    side.stream.registerProducer(pushing, True)
    side.socket.room = ENDLESS
    side.settle()
    assert [] == pushing.told


def test_pulling_producer(kind: type[tcp.Server]) -> None:
    """A producer that is pulled is asked whenever all has been sent."""
    side, peer = opened(Plain(), kind)
    pulling = producer(Pull, side, [b"a" * 100_000, b"b", b"c"])
    side.stream.registerProducer(pulling, False)
    peer.exchange()
    assert b"a" * 100_000 + b"bc" == peer.received
    side.stream.unregisterProducer()
    side.stream.write(b"d")
    pushing = producer(Push, side, [])
    side.stream.registerProducer(pushing, True)
    peer.exchange()
    assert peer.received.endswith(b"cd")
    assert [] == pushing.told


@pytest.mark.parametrize(("made", "is_push"), [(Push, True), (Pull, False)])
def test_end_waits_for_the_producer(
    kind: type[tcp.Server], made: Any, is_push: bool
) -> None:
    """A connection that is to be closed is open until its producer is done."""
    inner = Plain()
    side, peer = opened(inner, kind)
    producing = producer(made, side, [])
    side.stream.registerProducer(producing, is_push)
    side.stream.loseConnection()
    side.settle()
    assert [] == inner.told
    side.stream.write(b"last")
    peer.say(b"late")
    side.stream.unregisterProducer()
    side.settle()
    peer.exchange()
    assert (b"last", b"") == (bytes(peer.received), bytes(inner.received))
    assert ["ConnectionDone"] == inner.told
    assert side.socket.is_closed
    assert [SSL.ZeroReturnError] == [type(it) for it in peer.errors]
    side.stream.unregisterProducer()


def test_end_does_not_wait_where_nothing_can_be_written(
    kind: type[tcp.Server],
) -> None:
    """After a half-close there is nothing to wait for, and nothing to produce."""
    inner = HalfCloseable()
    side, _ = opened(inner, kind)
    producing = producer(Push, side, [])
    side.stream.registerProducer(producing, True)
    side.stream.loseWriteConnection()
    side.settle()
    side.stream.loseConnection()
    side.settle()
    assert ["write", "ConnectionDone"] == inner.told
    assert ["stop"] == producing.told
    side.stream.registerProducer(producing, True)
    assert ["stop", "stop"] == producing.told


def test_half_close_of_a_paused_connection(kind: type[tcp.Server]) -> None:
    """An echo that is paused ends all the same when its peer has read."""
    factory = EchoFactory(log_connections=False)
    side, peer = opened(factory.buildProtocol(None), kind)
    side.socket.room = 0
    sent = bytes(200_000)
    for begin in range(0, len(sent), 16_384):
        peer.connection.send(sent[begin : begin + 16_384])
    peer.connection.shutdown()
    side.receive(peer.connection.bio_read(1 << 20))
    assert not side.is_lost
    side.socket.end()
    side.socket.room = ENDLESS
    side.settle()
    peer.exchange()
    assert sent == peer.received
    assert side.socket.is_closed
    assert 0 == len(factory.connections)


def test_peer_that_never_reads_and_leaves(kind: type[tcp.Server]) -> None:
    """A peer that is owed much and resets leaves nothing open."""
    factory = EchoFactory(log_connections=False)
    side, peer = opened(factory.buildProtocol(None), kind)
    side.socket.room = 0
    for _ in range(20):
        peer.connection.send(bytes(16_384))
    side.receive(peer.connection.bio_read(1 << 20))
    side.socket.end()
    side.settle()
    side.socket.break_off()
    side.settle()
    assert side.socket.is_closed
    assert 0 == len(factory.connections)


@pytest.mark.parametrize("inner", [EchoProtocol, HalfCloseable])
def test_flood_of_key_updates(kind: type[tcp.Server], inner: Any) -> None:
    """Who asks for new keys and reads no answer is soon not read from."""
    side, _, updates = updating(inner(), kind)
    side.socket.room = 0
    flood = b"".join(next(updates) for _ in range(16_000))
    side.receive(flood)
    # The watermark, what may wait above it, and what one read brought.
    bound = 65_536 + MAX_ANSWER_BYTES + 96 * 1024
    assert 65_536 < side.queued_bytes < bound < len(flood)
    assert side.socket.is_readable
    side.socket.room = ENDLESS
    side.settle()
    assert not side.socket.is_readable
    # OpenSSL answers when it is next asked for something: the last one waits.
    assert 15_999 * len(next(updates)) == len(side.take_sent())
    assert side.link in side.switchboard.readers


def test_key_updates_and_a_pause(kind: type[tcp.Server]) -> None:
    """The protocol's own pause lasts, whatever the peer reads meanwhile."""
    side, _, updates = updating(HalfCloseable(), kind)
    side.socket.room = 0
    side.receive(b"".join(next(updates) for _ in range(7_000)))
    side.stream.pauseProducing()
    side.socket.room = ENDLESS
    side.settle()
    assert side.link not in side.switchboard.readers
    side.stream.resumeProducing()
    side.settle()
    assert side.link in side.switchboard.readers
    assert not side.socket.is_readable


def test_resumed_while_answers_wait(kind: type[tcp.Server]) -> None:
    """The protocol cannot have more read while too many answers wait."""
    side, _, updates = updating(HalfCloseable(), kind)
    side.socket.room = 0
    side.receive(b"".join(next(updates) for _ in range(16_000)))
    side.stream.resumeProducing()
    assert side.link not in side.switchboard.readers


def test_few_key_updates(kind: type[tcp.Server]) -> None:
    """Some key updates among data do no harm."""
    inner = HalfCloseable()
    side, peer, updates = updating(inner, kind)
    for _ in range(100):
        side.receive(next(updates))
    side.stream.write(b"hello")
    peer.exchange()
    assert b"hello" == peer.received
    side.stream.loseWriteConnection()
    side.settle()
    assert b"" != side.take_sent()
    side.receive(b"".join(next(updates) for _ in range(100)))
    assert b"" == side.take_sent()
    assert ["write"] == inner.told


def updating(inner: Any, kind: type[tcp.Server]) -> tuple[TlsSide, Peer, KeyUpdates]:
    """An open connection whose peer may ask for new keys."""
    updates = KeyUpdates()
    side = TlsSide(inner, server_connection(), kind)
    peer = Peer(side, client_connection(updates.context))
    peer.exchange()
    assert side.stream.is_open
    return side, peer, updates
