"""``EagerServer`` held against Twisted's own ``tcp.Server``."""

import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor, tcp
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IPushProducer,
    IReactorFDSet,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, connectionDone
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from echod import EchoFactory, EchoProtocol
from echod.transport.eager import (
    LARGE_READ_BYTES,
    SMALL_READ_BYTES,
    EagerPort,
    EagerServer,
)
from echod.transport.nested import NestedReactor

from ..support.connection import reset
from ..support.ends import turn
from ..support.side import ENDLESS, HalfCloseable, Plain, Pull, Push, Side
from ..support.switchboard import Switchboard

#: As ``FileDescriptor.bufferSize``.
BUFFER_BYTES = 65_536

KINDS = (tcp.Server, EagerServer)

Step = tuple[Any, ...]


class Bytes(bytes):
    """Bytes of a class of their own, which Twisted takes like any others."""


def script_bytes(index: int, size: int) -> bytes:
    """What step ``index`` writes: upper case, and unlike its neighbours."""
    return (b"<%c%c>" % (65 + index % 26, 65 + index // 26 % 26) * size)[:size]


def produced(index: int, count: int) -> list[bytes]:
    """What a producer of step ``index`` writes: lower case."""
    return [b"(%c%d)" % (97 + index % 26, n) * 9 for n in range(count)]


def upper(data: bytes) -> bytes:
    """What the script has written of ``data``."""
    return bytes(it for it in data if it in b"<>ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def lower(data: bytes) -> bytes:
    """What the producers have written of ``data``."""
    return bytes(it for it in data if it not in b"<>ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Play:
    """
    A script, played on one side.

    Attributes:
        told: what each producer was told.
        sent_at_abort: how much had been sent at the first abort; None without one.
        due: what had been written when the connection was first to be closed.
    """

    def __init__(self, kind: type[tcp.Server], protocol: Plain, talk: bool) -> None:
        self.side = Side(kind, protocol)
        self.sent_at_abort: int | None = None
        self.due: bytes | None = None
        self.producers: list[Push | Pull] = []
        self._talk = talk

    def play(self, script: list[Step]) -> None:
        for index, (name, *more) in enumerate(script):
            getattr(self, name)(index, *more)

    def finish(self) -> None:
        """All that can come to its end does."""
        side = self.side
        side.socket.is_short = False
        side.socket.room = ENDLESS
        side.settle()
        if side.link.producer is not None:
            side.link.unregisterProducer()
        side.link.resumeProducing()
        side.settle()
        is_half_closed = side.is_lost or side.link._writeDisconnected
        if side.link._writeDisconnecting and not is_half_closed:
            # Twisted forgets a half-close over a producer that goes on.
            side.link.startWriting()
            side.settle()

    @property
    def sent(self) -> bytes:
        return bytes(self.side.socket.sent)

    # The steps.

    def turn(self, _: int) -> None:
        self.side.turn()

    def room(self, _: int, size: int) -> None:
        self.side.socket.room += size

    def short(self, _: int, is_short: bool) -> None:
        self.side.socket.is_short = is_short

    def arrive(self, index: int, size: int) -> None:
        self.side.socket.arrive(script_bytes(index, size))

    def write(self, index: int, size: int) -> None:
        self.side.write(script_bytes(index, size))

    def write_own(self, index: int, size: int) -> None:
        self.side.write(Bytes(script_bytes(index, size)))

    def write_sequence(self, index: int, sizes: list[int]) -> None:
        whole = script_bytes(index, sum(sizes))
        ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
        pieces = [whole[begin:end] for begin, end in pairwise(ends)]
        self.side.write_sequence(pieces)

    def pause(self, _: int) -> None:
        self.side.link.pauseProducing()

    def resume(self, _: int) -> None:
        self.side.link.resumeProducing()

    def register(self, index: int, kind: type[Push | Pull], count: int) -> None:
        link = self.side.link
        if link.producer is None:
            says_something = self._talk or kind is Pull
            pieces = produced(index, count) if says_something else []
            self.producers.append(kind(self.side, pieces))
            link.registerProducer(self.producers[-1], kind is Push)

    def unregister(self, _: int) -> None:
        self.side.link.unregisterProducer()

    def half(self, _: int) -> None:
        self._is_due()
        if not self.side.is_lost:
            self.side.link.loseWriteConnection()

    def fin(self, _: int) -> None:
        self.side.socket.end()

    def lose(self, _: int) -> None:
        self._is_due()
        self.side.link.loseConnection()

    def abort(self, _: int) -> None:
        if self.sent_at_abort is None:
            self.sent_at_abort = len(self.side.socket.sent)
        self.side.link.abortConnection()

    def reset(self, _: int) -> None:
        self.side.socket.break_off()

    def _is_due(self) -> None:
        if self.due is None:
            self.due = bytes(self.side.written)


SIZES = st.one_of(st.integers(0, 40), st.sampled_from([447, 448, 449, 70_000, 140_000]))
WRITES = [
    st.tuples(st.just("write"), SIZES),
    st.tuples(st.just("write"), SIZES),
    st.tuples(st.just("write_own"), SIZES),
    st.tuples(st.just("write_sequence"), st.lists(SIZES, max_size=3)),
]
WEATHER = [
    st.just(("turn",)),
    st.just(("turn",)),
    st.tuples(st.just("room"), SIZES),
    st.tuples(st.just("room"), SIZES),
    st.tuples(st.just("short"), st.booleans()),
    st.tuples(st.just("arrive"), SIZES),
    st.just(("pause",)),
    st.just(("resume",)),
]
PRODUCERS = [
    st.tuples(st.just("register"), st.sampled_from([Push, Pull]), st.integers(0, 4)),
    st.just(("unregister",)),
]
ENDS = [st.just((name,)) for name in ("half", "fin", "lose", "abort", "reset")]


def steps(*kinds: list[Any], most: int = 12) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.one_of(*[it for kind in kinds for it in kind]), max_size=most)


def both(
    protocol: Callable[[], Plain], script: list[Step], *, talk: bool = False
) -> tuple[Play, Play]:
    """The script on a stock and on an eager transport, each to its end."""
    plays = Play(tcp.Server, protocol(), talk), Play(EagerServer, protocol(), talk)
    for play in plays:
        play.play(script)
        play.finish()
    return plays


def are_prefixes(*several: bytes | bytearray) -> bool:
    longest = max(several, key=len)
    return all(longest.startswith(it) for it in several)


class TestAnyScript:
    @given(steps(WRITES, WEATHER, PRODUCERS, most=20))
    def test_same_bytes(self, script: list[Step]) -> None:
        """The peer gets the same bytes, and so does the protocol, in their order."""
        stock, eager = both(HalfCloseable, script)
        for play in (stock, eager):
            assert play.side.written == play.sent
            assert [] == play.side.protocol.told
        assert upper(stock.sent) == upper(eager.sent)
        assert stock.side.protocol.received == eager.side.protocol.received
        if ("unregister",) in script:
            return
        assert lower(stock.sent) == lower(eager.sent)

    @given(
        steps(WRITES, WEATHER),
        st.sampled_from(["half", "fin", "both"]),
        steps(WEATHER),
    )
    def test_same_half_closes(
        self, before: list[Step], which: str, after: list[Step]
    ) -> None:
        """A half-close of either side says the same, after the same bytes."""
        halves: dict[str, list[Step]] = {
            "half": [("half",)],
            "fin": [("fin",)],
            "both": [("fin",), ("half",)],
        }
        stock, eager = both(HalfCloseable, [*before, *halves[which], *after])
        for play in (stock, eager):
            assert play.side.written == play.sent
        assert stock.sent == eager.sent
        assert stock.side.protocol.received == eager.side.protocol.received
        assert stock.side.socket.is_finished == eager.side.socket.is_finished
        told = set(stock.side.protocol.told)
        expected = {"half": {"write"}, "fin": {"read"}, "both": {"read", "write"}}
        assert expected[which] == told == set(eager.side.protocol.told)

    @given(
        steps(WRITES, WEATHER, PRODUCERS),
        st.sampled_from([HalfCloseable, Plain]),
        st.sampled_from(["lose", "abort", "reset", "fin"]),
        steps(WEATHER),
    )
    def test_same_end(
        self,
        before: list[Step],
        protocol: type[Plain],
        end: str,
        after: list[Step],
    ) -> None:
        """It ends the same way; after a close, with the same bytes."""
        stock, eager = both(protocol, [*before, (end,), *after])
        assert stock.side.protocol.told == eager.side.protocol.told
        for play in (stock, eager):
            assert are_prefixes(play.side.written, play.sent)
        assert are_prefixes(upper(stock.sent), upper(eager.sent))
        if end == "lose":
            assert upper(stock.sent) == upper(eager.sent) == upper(stock.due or b"")
            assert eager.sent.startswith(eager.due or b"")
        elif end == "abort":
            assert ["ConnectionAborted"] == eager.side.protocol.told
            assert [it.told[-1:] for it in stock.producers] == [
                it.told[-1:] for it in eager.producers
            ] or ("unregister",) in before
        elif end == "reset":
            assert ["ConnectionLost"] == eager.side.protocol.told

    @given(
        steps(WRITES, WEATHER, PRODUCERS, ENDS, most=25),
        st.sampled_from([HalfCloseable, Plain]),
    )
    def test_nothing_is_invented(
        self, script: list[Step], protocol: type[Plain]
    ) -> None:
        """Whatever happens, the peer gets what was written, in order, and one end."""
        for play in both(protocol, script, talk=True):
            assert are_prefixes(play.side.written, play.sent)
            assert len(play.side.written) >= len(play.sent)
            ends = [it for it in play.side.protocol.told if it not in ("read", "write")]
            assert ends == play.side.protocol.told[-1:] or not ends
            assert play.side.is_lost == bool(ends)
            if play.sent_at_abort is not None:
                assert play.sent_at_abort == len(play.sent)
            if ends == ["ConnectionDone"] and protocol is HalfCloseable:
                assert play.sent.startswith(play.due or b"")
            for producer in play.producers:
                assert producer.told.count("stop") <= 1
                assert "stop" not in producer.told[:-1]


@pytest.fixture
def side() -> Side:
    """An eager transport, whose system has room."""
    made = Side(EagerServer, HalfCloseable())
    made.socket.room = ENDLESS
    return made


def has_gone(side: Side, *, queued: bytes = b"") -> bytes:
    """What the peer has got so far; ``queued`` is to go when there is a turn."""
    is_waiting = side.link in side.switchboard.writers
    assert bool(queued) == is_waiting
    gone = bytes(side.socket.sent)
    side.socket.room = ENDLESS
    side.settle()
    assert gone + queued == side.socket.sent
    return gone


class TestWrite:
    def test_write_goes_at_once(self, side: Side) -> None:
        """What is written has gone when ``write`` returns, and nobody waits."""
        side.write(b"one")
        side.write(b"two")
        assert b"onetwo" == has_gone(side)

    def test_rest_waits_in_order(self, side: Side) -> None:
        """What the system does not take waits, and what follows waits behind it."""
        side.socket.room = 2
        side.write(b"one")
        side.socket.room = 3
        side.write(b"two")
        assert b"on" == has_gone(side, queued=b"etwo")
        side.write(b"three")
        assert b"onetwothree" == has_gone(side)

    def test_no_room_waits(self, side: Side) -> None:
        """Where the system takes nothing, all of it waits."""
        side.socket.room = 0
        side.write(b"one")
        assert b"" == has_gone(side, queued=b"one")

    def test_no_buffers_is_no_end(self, side: Side) -> None:
        """A system that is short of buffers is asked again."""
        side.socket.is_short = True
        side.write(b"one")
        side.turn()
        side.socket.is_short = False
        assert b"" == has_gone(side, queued=b"one")
        side.socket.end()
        side.settle()
        assert ["read"] == side.protocol.told

    def test_sequence_waits_for_a_turn(self, side: Side) -> None:
        """A sequence goes with the next turn, and what is written then behind it."""
        side.link.writeSequence([b"a", b"b"])
        side.write(b"c")
        assert b"" == has_gone(side, queued=b"abc")
        side.write(b"d")
        assert b"abcd" == has_gone(side)
        side.link.writeSequence([])
        side.write(b"e")
        assert b"abcde" == has_gone(side)

    def test_own_class_of_bytes_keeps_its_place(self, side: Side) -> None:
        """Bytes of a class of their own are not overtaken by what follows."""
        side.write(Bytes(b"first"))
        side.write(b"second")
        side.settle()
        assert b"firstsecond" == side.socket.sent

    @pytest.mark.parametrize("wrong", ["text", bytearray(b"x"), memoryview(b"x"), 1])
    def test_only_bytes_are_written(self, wrong: Any) -> None:
        """What is no bytes is refused as on the stock transport, and no harm done."""
        for kind in KINDS:
            side = Side(kind, Plain())
            side.socket.room = ENDLESS
            with pytest.raises(TypeError, match="Data must be bytes"):
                side.link.write(wrong)
            with pytest.raises(TypeError, match="Data must be bytes"):
                side.link.writeSequence([b"x", wrong])
            side.write(b"right")
            side.settle()
            assert b"right" == side.socket.sent

    @pytest.mark.parametrize("end", ["loseConnection", "abortConnection"])
    def test_write_after_the_end_is_dropped(self, side: Side, end: str) -> None:
        """When the connection has ended, nothing more is sent."""
        getattr(side.link, end)()
        side.settle()
        assert side.is_lost
        side.link.write(b"late")
        side.link.writeSequence([b"later"])
        assert b"" == side.socket.sent
        assert [] == side.switchboard.writers

    def test_write_between_abort_and_end_is_dropped(self, side: Side) -> None:
        """Nothing is sent once the connection is aborted."""
        side.link.abortConnection()
        side.link.writeSequence([])
        side.link.write(b"late")
        side.link.writeSequence([b"later"])
        side.settle()
        assert b"" == side.socket.sent
        assert ["ConnectionAborted"] == side.protocol.told

    def test_write_while_it_closes(self, side: Side) -> None:
        """What is written before the turn that closes it still goes, as on stock."""
        side.link.loseConnection()
        side.write(b"last")
        side.settle()
        assert b"last" == side.socket.sent
        assert ["ConnectionDone"] == side.protocol.told

    def test_write_after_half_close_is_dropped(self, side: Side) -> None:
        """After the half-close nothing is sent, and the end is a clean one."""
        side.link.loseWriteConnection()
        side.settle()
        side.link.write(b"late")
        side.link.writeSequence([b"later"])
        side.socket.end()
        side.settle()
        assert ["write", "read"] == side.protocol.told
        assert b"" == side.socket.sent

    def test_write_at_half_close_is_dropped(self) -> None:
        """What is written in ``writeConnectionLost`` is dropped, and breaks nothing."""

        class Late(HalfCloseable):
            def writeConnectionLost(self) -> None:
                super().writeConnectionLost()
                assert self.transport is not None
                self.transport.write(b"late")

        for kind in KINDS:
            side = Side(kind, Late())
            side.socket.room = ENDLESS
            side.link.loseWriteConnection()
            side.settle()
            side.socket.end()
            side.settle()
            assert ["write", "read"] == side.protocol.told

    def test_abort_within_a_turn_is_the_end(self) -> None:
        """A producer that aborts when it is asked for more sends nothing after."""

        class Aborting(Push):
            def resumeProducing(self) -> None:
                self._side.link.abortConnection()

        for kind in KINDS:
            side = Side(kind, Plain())
            side.link.registerProducer(Aborting(side, []), True)
            side.write(bytes(BUFFER_BYTES + 1))
            side.socket.room = ENDLESS
            side.turn()
            side.link.write(b"late")
            side.settle()
            assert BUFFER_BYTES + 1 == len(side.socket.sent)
            assert ["ConnectionAborted"] == side.protocol.told

    def test_empty_write_changes_nothing(self, side: Side) -> None:
        """Nothing is nothing, with room and without."""
        side.write(b"")
        side.socket.room = 0
        side.write(b"")
        side.write(b"x")
        assert b"" == has_gone(side, queued=b"x")


class TestProducers:
    def test_push_producer_is_paused_and_resumed(self, side: Side) -> None:
        """It is paused when more than the buffer waits, and goes on when all went."""
        producer = Push(side, [])
        side.link.registerProducer(producer, True)
        side.write(b"goes at once")
        side.socket.room = 0
        side.write(bytes(BUFFER_BYTES))
        assert [] == producer.told
        side.write(b"x")
        assert ["pause"] == producer.told
        side.socket.room = ENDLESS
        side.settle()
        assert ["pause", "resume"] == producer.told

    def test_what_is_written_at_the_pause_keeps_its_place(self, side: Side) -> None:
        """A producer may write a last word when it is paused: it comes last."""
        for write in (side.write, lambda data: side.write_sequence([data])):
            producer = Push(side, [b"last word"])
            side.link.registerProducer(producer, True)
            side.socket.room = 50
            write(bytes(BUFFER_BYTES + 100))
            side.socket.room = ENDLESS
            side.settle()
            side.link.unregisterProducer()
            assert BUFFER_BYTES + 100 == side.socket.sent.index(b"last word")
            side.socket.sent.clear()

    def test_pull_producer_is_asked_piece_by_piece(self) -> None:
        """It is asked for the next piece when the last one went, as on stock."""
        for kind in KINDS:
            side = Side(kind, Plain())
            producer = Pull(side, [b"a", b"b"])
            side.link.registerProducer(producer, False)
            assert (["resume"], b"") == (producer.told, bytes(side.socket.sent))
            side.socket.room = ENDLESS
            side.turn()
            assert ["resume"] * 2 == producer.told
            assert b"a" == side.socket.sent
            side.settle()
            assert ["resume"] * 3 == producer.told
            assert b"ab" == side.socket.sent
            side.link.unregisterProducer()
            side.write(b"c")
            side.settle()
            side.write(b"d")
            assert (kind is EagerServer) == (b"abcd" == side.socket.sent)

    def test_second_producer_is_refused(self, side: Side) -> None:
        """Two producers at once are a mistake, and the first one stays."""
        first = Push(side, [])
        side.link.registerProducer(first, True)
        with pytest.raises(RuntimeError, match="never unregistered"):
            side.link.registerProducer(Pull(side, []), False)
        assert first is side.link.producer
        side.write(b"x")
        side.settle()
        assert b"x" == side.socket.sent

    @pytest.mark.parametrize("kind", [Push, Pull])
    def test_producer_is_stopped_at_the_end(
        self, side: Side, kind: type[Push | Pull]
    ) -> None:
        """Its end is told to the producer that it has, or that comes too late."""
        producer, late = kind(side, []), kind(side, [])
        side.link.registerProducer(producer, kind is Push)
        side.link.abortConnection()
        side.settle()
        side.link.registerProducer(late, kind is Push)
        assert (["stop"], ["stop"]) == (producer.told[-1:], late.told)


class TestRead:
    def test_reads_grow_and_shrink(self, side: Side) -> None:
        """Small reads are cheap; a message that fills one gets large ones."""
        small, large = SMALL_READ_BYTES, LARGE_READ_BYTES
        for size, asked in [
            (10, small),
            (small - 1, small),
            (small, small),
            (large, large),
            (small, large),
            (small - 1, large),
            (1, small),
        ]:
            side.socket.asked.clear()
            side.socket.arrive(bytes(size))
            side.turn()
            assert [asked] == side.socket.asked

    def test_nothing_to_read_is_nothing(self, side: Side) -> None:
        """A turn for nothing does nothing."""
        assert side.link.doRead() is None
        assert b"" == side.protocol.received

    def test_end_is_a_clean_one(self, side: Side) -> None:
        """The peer's end is a half-close, also after a send that went well."""
        side.write(b"x")
        side.socket.end()
        side.settle()
        assert ["read"] == side.protocol.told

    @pytest.mark.parametrize("writes", [False, True])
    @pytest.mark.parametrize("arrives", [False, True])
    def test_reset(self, writes: bool, arrives: bool) -> None:
        """A reset is a lost connection, whether a read or a write meets it first."""
        for kind in KINDS:
            side = Side(kind, HalfCloseable())
            side.socket.room = ENDLESS
            if arrives:
                side.socket.arrive(b"before")
            side.socket.break_off()
            if writes:
                side.write(b"x")
            side.settle()
            assert ["ConnectionLost"] == side.protocol.told
            assert side.socket.is_closed


def answers(kind: type[Plain]) -> Any:
    """A protocol of this kind that writes when it reads, and closes at the end."""

    class Answering(kind):  # type: ignore[valid-type,misc]
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data)

        def readConnectionLost(self) -> None:
            super().readConnectionLost()
            self.transport.loseConnection()

    return Answering()


@contextmanager
def listening(factory: Any) -> Iterator[tuple[Any, socket.socket]]:
    """An eager port on the test's own reactor, and a client that has connected."""
    outer: Any = reactor
    port = EagerPort(0, factory, interface="127.0.0.1", reactor=outer)
    port.startListening()
    with socket.create_connection(("127.0.0.1", port.getHost().port)) as client:
        client.settimeout(5)
        port.doRead()
        yield port, client
    port.stopListening()


class TestRealSockets:
    @pytest.fixture
    def factory(self) -> EchoFactory:
        return EchoFactory(log_connections=False)

    def transport(self, factory: EchoFactory) -> Any:
        (connection,) = factory.connections
        return connection.transport

    async def test_is_a_tcp_transport(self, factory: EchoFactory) -> None:
        """It is all that Twisted's own connection is, with the same addresses."""
        with listening(factory) as (port, client):
            transport = self.transport(factory)
            assert isinstance(transport, EagerServer)
            for interface in (
                ITCPTransport,
                ITLSTransport,
                IPushProducer,
                IHalfCloseableDescriptor,
            ):
                assert verifyObject(interface, transport)
            address = transport.getPeer()
            assert client.getsockname() == (address.host, address.port)
            assert port.getHost() == transport.getHost()
            assert "EchoProtocol" in repr(transport)
        await factory.when_idle()

    async def test_answer_is_there_without_a_turn(self, factory: EchoFactory) -> None:
        """An echo has gone when ``doRead`` returns."""
        with listening(factory) as (_, client):
            client.send(b"x")
            self.transport(factory).doRead()
            assert b"x" == client.recv(1)
        await factory.when_idle()

    async def test_reset_that_a_send_meets(self) -> None:
        """A connection that is reset before an answer is lost, and not closed."""
        protocol = HalfCloseable()
        with listening(Factory.forProtocol(lambda: protocol)) as (_, client):
            transport: Any = protocol.transport
            transport.write(b"what is unread makes the end a reset")
            reset(client)
            # The first of them takes the error away; over loopback it is there.
            transport.write(b"x")
            why = transport.doRead()
            assert isinstance(why, ConnectionLost)
            transport.connectionLost(Failure(why))
        assert ["ConnectionLost"] == protocol.told

    @pytest.mark.parametrize("protocol", [HalfCloseable, Plain])
    @pytest.mark.parametrize("is_finished", [False, True])
    def test_reset_behind_an_end(
        self, protocol: type[Plain], is_finished: bool
    ) -> None:
        """A peer that breaks off, behind its end or not, is told of as on stock."""
        told = []
        for kind in KINDS:
            nested = NestedReactor(cast("IReactorFDSet", Switchboard()))
            with socket.create_server(("127.0.0.1", 0)) as listening:
                client = socket.create_connection(listening.getsockname())
                accepted, peer = listening.accept()
            answering = answers(protocol)
            made: Any = kind
            answering.makeConnection(made(accepted, answering, peer, None, 1, nested))
            client.send(b"x")
            if is_finished:
                client.shutdown(socket.SHUT_WR)
            reset(client)
            while nested.fileno() != -1:
                nested.doRead()
            told.append(answering.told)
        stock, eager = told
        assert stock == eager

    @pytest.mark.parametrize("end", ["loseConnection", "abortConnection", "reset"])
    async def test_nothing_keeps_it_alive(self, end: str) -> None:
        """A connection that has ended is gone without the garbage collector."""

        class Observer:
            def connection_made(self, connection: EchoProtocol) -> None:
                alive.append(weakref.ref(connection))
                alive.append(weakref.ref(connection.transport))

            def connection_lost(self, connection: EchoProtocol, _: Failure) -> None:
                pass

        alive: list[Any] = []
        factory: Any = Factory.forProtocol(lambda: EchoProtocol(Observer()))
        gc.disable()
        try:
            with listening(factory) as (_, client):
                if end == "reset":
                    reset(client)
                    client = socket.socket()  # noqa: PLW2901 - another to be closed
                    alive[1]().doRead()
                    alive[1]().connectionLost(Failure(ConnectionLost()))
                else:
                    getattr(alive[1](), end)()
                    alive[1]().connectionLost(connectionDone)
                client.close()
            await turn()
            assert [None, None] == [it() for it in alive]
        finally:
            gc.enable()
