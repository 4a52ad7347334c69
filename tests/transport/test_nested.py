"""What ``NestedReactor`` promises to the transports that run on it."""

import gc
import os
import select
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor, tcp
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.error import (
    ConnectError,
    ConnectionDone,
    ConnectionLost,
    UnsupportedAddressFamily,
)
from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorMulticast,
    IReactorPluggableNameResolver,
    IReactorSocket,
    IReactorSSL,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUDP,
    IReactorUNIX,
    IReactorUNIXDatagram,
    IReadDescriptor,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.threads import deferToThreadPool
from twisted.logger import LogEvent
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from echod import EchoFactory, EchoProtocol
from echod.transport import nested as module
from echod.transport.eager import EagerPort, EagerServer
from echod.transport.nested import (
    EVENTS_PER_ROUND,
    ROUNDS_PER_TURN,
    NestedReactor,
)

from ..contract import payload
from ..support.certificate import certificate
from ..support.descriptors import descriptors
from ..support.ends import ClientProtocol, turn
from ..support.selectable import HalfCloseable, Selectable
from ..support.switchboard import Switchboard

ROOT = Path(__file__).parents[2]

HERE = "127.0.0.1"


@pytest.fixture
def outer() -> Switchboard:
    """An outer reactor whose turns are the test's."""
    return Switchboard()


@pytest.fixture
def nested(outer: Switchboard) -> Iterator[NestedReactor]:
    """Has nothing open at the end, if the test forgets nothing."""
    made = NestedReactor(cast("IReactorFDSet", outer))
    yield made
    made.removeAll()
    assert ([], []) == (outer.readers, outer.writers)


class Reader(Selectable):
    """A selectable that reads what has come."""

    def __init__(self, **more: Any) -> None:
        super().__init__(self._take, **more)
        self.received = b""

    def _take(self) -> None:
        self.received += self.end.recv(65_536)


def drop(nested: NestedReactor, selectable: Selectable) -> None:
    """As a transport does that ends by itself."""
    nested.removeReader(cast("Any", selectable))
    nested.removeWriter(cast("Any", selectable))
    selectable.end.close()


class TestInterfaces:
    @pytest.mark.parametrize(
        "interface",
        [
            IReactorCore,
            IReactorFDSet,
            IReactorMulticast,
            IReactorPluggableNameResolver,
            IReactorSSL,
            IReactorSocket,
            IReactorTCP,
            IReactorThreads,
            IReactorTime,
            IReactorUDP,
            IReactorUNIX,
            IReactorUNIXDatagram,
            IReadDescriptor,
        ],
    )
    def test_is_a_reactor(self, interface: Any) -> None:
        """It has whatever an application may ask of Twisted's own reactor."""
        assert verifyObject(interface, NestedReactor(IReactorFDSet(reactor)))

    def test_says_nothing_that_the_outer_one_does_not(
        self, nested: NestedReactor
    ) -> None:
        """Within a reactor without timers it has none."""
        assert not IReactorTime.providedBy(nested)
        assert IReactorFDSet.providedBy(nested)
        assert "-" == nested.logPrefix()

    def test_unknown_name_is_the_outer_one_s(
        self, nested: NestedReactor, outer: Switchboard
    ) -> None:
        """What is asked of it beside descriptors, is asked of the outer reactor."""
        assert outer.calls is nested.calls
        with pytest.raises(AttributeError, match="spawnProcess"):
            _ = nested.spawnProcess

    async def test_timers_threads_and_names_are_the_outer_one_s(self) -> None:
        """Timers fire, threads call back and names are found, with nothing open."""
        nested: Any = NestedReactor(IReactorFDSet(reactor))
        fired: Deferred[str] = Deferred()
        nested.callLater(0, fired.callback, "timer")
        assert "timer" == await fired
        pool = nested.getThreadPool()
        assert "thread" == await deferToThreadPool(nested, pool, lambda: "thread")
        assert HERE == await nested.resolve(HERE)
        assert nested.fileno() == -1

    def test_is_there_where_epoll_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its being available is epoll's."""
        assert module.is_available()
        monkeypatch.delattr(select, "epoll")
        assert not module.is_available()


@pytest.mark.parametrize("name", ["epoll", "poll", "select", "asyncio"])
def test_runs_within_any_reactor(name: str) -> None:
    """Streams, datagrams and timers work, and nothing is left open or watched."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.rounds", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert name in done.stdout.lower()


class TestWatching:
    def test_is_open_while_something_is_watched(
        self, nested: NestedReactor, outer: Switchboard
    ) -> None:
        """Its epoll opens with the first selectable, and closes with the last."""
        before = descriptors()
        with Reader() as first, Reader() as second:
            assert (-1, []) == (nested.fileno(), outer.readers)
            nested.addReader(first)
            assert [nested] == outer.readers
            assert nested.fileno() >= 0
            nested.addWriter(second)
            nested.removeReader(first)
            assert [nested] == outer.readers
            nested.removeWriter(second)
            assert (-1, []) == (nested.fileno(), outer.readers)
            nested.addReader(first)
            assert [nested] == outer.readers
            first.peer.send(b"again")
            nested.doRead()
            assert b"again" == first.received
            nested.removeReader(first)
        assert before == descriptors()

    def test_readers_and_writers_are_known(self, nested: NestedReactor) -> None:
        """It tells who waits for input, and who for room."""
        with Reader() as first, Reader() as second:
            for _ in range(2):
                nested.addReader(first)
                nested.addWriter(first)
                nested.addWriter(second)
            assert [first] == nested.getReaders()
            assert [first, second] == nested.getWriters()
            nested.removeWriter(first)
            nested.removeWriter(first)
            assert ([first], [second]) == (nested.getReaders(), nested.getWriters())
            assert [first, second] == nested.removeAll()
            assert ([], []) == (nested.getReaders(), nested.getWriters())
            assert [] == nested.removeAll()

    def test_stranger_is_removed_in_vain(self, nested: NestedReactor) -> None:
        """Removing what is not watched does nothing, closed or not."""
        with Reader() as watched, Reader() as stranger:
            nested.addReader(watched)
            nested.removeReader(stranger)
            stranger.end.close()
            nested.removeWriter(stranger)
            assert [watched] == nested.getReaders()
            nested.removeAll()

    def test_closed_file_can_be_removed(self, nested: NestedReactor) -> None:
        """One that has closed its file before it says so is forgotten all the same."""
        with Reader() as closed, Reader() as other:
            nested.addReader(other)
            nested.addReader(closed)
            closed.end.close()
            nested.removeReader(closed)
            assert [other] == nested.getReaders()
            nested.addWriter(other)
            other.end.close()
            assert [other] == nested.removeAll()
        assert nested.fileno() == -1

    def test_closed_file_can_be_removed_by_halves(self, nested: NestedReactor) -> None:
        """The same for one that waited for input and for room."""
        with Reader() as closed:
            nested.addReader(closed)
            nested.addWriter(closed)
            closed.end.close()
            nested.removeReader(closed)
            assert ([], [closed]) == (nested.getReaders(), nested.getWriters())
            nested.removeWriter(closed)
        assert nested.fileno() == -1

    def test_nothing_stays_open_for_what_cannot_be_watched(
        self, nested: NestedReactor, outer: Switchboard
    ) -> None:
        """A selectable without a file is refused, and leaves no epoll behind."""
        with Reader() as closed:
            closed.end.close()
            with pytest.raises(ValueError, match="negative"):
                nested.addReader(closed)
            assert ([], []) == (nested.getReaders(), outer.readers)
            assert nested.fileno() == -1

    def test_reader_reads_before_it_writes(self, nested: NestedReactor) -> None:
        """When both are possible, input comes first."""
        with Reader() as selectable:
            nested.addReader(selectable)
            nested.addWriter(selectable)
            selectable.peer.send(b"x")
            nested.doRead()
            expected = ["doRead", "doWrite"] + ["doWrite"] * (ROUNDS_PER_TURN - 1)
            assert expected == selectable.events
            nested.removeAll()

    def test_writer_is_not_read(self, nested: NestedReactor) -> None:
        """One that waits for room is not told of input."""
        with Selectable() as selectable:
            nested.addWriter(selectable)
            selectable.peer.send(b"x")
            nested.doRead()
            assert {"doWrite"} == set(selectable.events)
            nested.removeAll()

    def test_events_are_bounded(self, nested: NestedReactor) -> None:
        """However much there is to do, a turn of the outer reactor comes to its end."""
        everybody = [Selectable() for _ in range(EVENTS_PER_ROUND + 10)]
        for selectable in everybody:
            nested.addReader(selectable)
            selectable.peer.send(b"never read")
        nested.doRead()
        counts = [len(selectable.events) for selectable in everybody]
        assert EVENTS_PER_ROUND * ROUNDS_PER_TURN == sum(counts)
        assert min(counts) > 0
        nested.removeAll()
        for selectable in everybody:
            selectable.__exit__()

    def test_what_becomes_ready_meanwhile_is_done(self, nested: NestedReactor) -> None:
        """What one handler starts, another ends in the same turn."""
        with Reader() as second, Selectable() as unused:

            def pass_on() -> None:
                first.end.recv(1)
                second.peer.send(b"x")

            with Selectable(pass_on) as first:
                nested.addReader(unused)
                nested.addReader(first)
                nested.addReader(second)
                first.peer.send(b"x")
                nested.doRead()
                assert b"x" == second.received
                assert [] == unused.events
                nested.removeAll()


class TestEnd:
    @pytest.mark.parametrize("kind", [Selectable, HalfCloseable])
    def test_end_of_input(self, nested: NestedReactor, kind: type[Selectable]) -> None:
        """The end of the input is a half-close to those who know what that is."""
        with kind(lambda: CONNECTION_DONE) as selectable:
            nested.addReader(selectable)
            nested.addWriter(selectable)
            selectable.peer.send(b"x")
            nested._do_round([(selectable.fileno(), 0x1)])
            (reason,) = selectable.reasons
            assert reason.check(ConnectionDone)
            assert [] == nested.getReaders()
            if kind is HalfCloseable:
                assert ["doRead", "readConnectionLost"] == selectable.events
                assert [selectable] == nested.getWriters()
                nested.removeAll()
            else:
                assert ["doRead", "connectionLost"] == selectable.events
                assert [] == nested.getWriters()

    @pytest.mark.parametrize("kind", [Selectable, HalfCloseable])
    @pytest.mark.parametrize("deed", ["read", "write"])
    def test_broken_connection(
        self, nested: NestedReactor, kind: Any, deed: str
    ) -> None:
        """A broken connection ends as a whole, wherever that is noticed."""
        with kind(**{deed: lambda: CONNECTION_LOST}) as selectable:
            nested.addReader(selectable)
            nested.addWriter(selectable)
            selectable.peer.send(b"x")
            nested.doRead()
            assert "connectionLost" == selectable.events[-1]
            assert 1 == selectable.events.count("connectionLost")
            (reason,) = selectable.reasons
            assert reason.check(ConnectionLost)
            assert nested.fileno() == -1

    def test_end_of_output_is_no_half_close(self, nested: NestedReactor) -> None:
        """One whose ``doWrite`` says that it is done is done as a whole."""
        with HalfCloseable(write=lambda: CONNECTION_DONE) as selectable:
            nested.addReader(selectable)
            nested.addWriter(selectable)
            selectable.peer.send(b"x")
            nested.doRead()
            assert ["doRead", "doWrite", "connectionLost"] == selectable.events

    def test_negative_number_is_an_end(self, nested: NestedReactor) -> None:
        """The number below 0 that Twisted lets ``doWrite`` return ends it."""
        with HalfCloseable(write=lambda: -1) as selectable:
            nested.addWriter(selectable)
            nested.doRead()
            assert ["doWrite", "connectionLost"] == selectable.events

    @pytest.mark.parametrize("kind", [Selectable, HalfCloseable])
    def test_hang_up_with_nothing_to_read(
        self, nested: NestedReactor, kind: type[Selectable]
    ) -> None:
        """One that waits for input when it is hung up has had all of it."""
        reading, writing = os.pipe()
        with kind() as selectable:
            selectable.fileno = lambda: reading  # type: ignore[method-assign]
            nested.addReader(selectable)
            os.close(writing)
            nested.doRead()
            last = "readConnectionLost" if kind is HalfCloseable else "connectionLost"
            assert [last] == selectable.events
            assert selectable.reasons[0].check(ConnectionDone)
            assert nested.fileno() == -1
        os.close(reading)

    def test_hang_up_of_a_writer(self, nested: NestedReactor) -> None:
        """One that only writes when it is hung up has lost its connection."""
        reading, writing = os.pipe()
        with HalfCloseable() as selectable:
            selectable.fileno = lambda: writing  # type: ignore[method-assign]
            nested.addWriter(selectable)
            os.close(reading)
            nested.doRead()
            assert ["connectionLost"] == selectable.events
            assert selectable.reasons[0].check(ConnectionLost)
        os.close(writing)

    def test_hang_up_with_something_to_read(self, nested: NestedReactor) -> None:
        """What came before the end is read, and then the end."""
        with Reader() as selectable:
            nested.addReader(selectable)
            selectable.peer.send(b"last words")
            selectable.peer.close()
            nested.doRead()
            assert b"last words" == selectable.received
            assert "connectionLost" not in selectable.events
            nested.removeAll()


class Mistake(Exception):
    """What a test's handlers raise."""


def fail() -> None:
    raise Mistake


def mistakes(errors: list[LogEvent]) -> int:
    """How many mistakes were logged; they are no longer held against the test."""
    found = [it for it in errors if it["log_failure"].check(Mistake)]
    errors[:] = [it for it in errors if it not in found]
    return len(found)


class TestMistakes:
    @pytest.mark.parametrize("deed", ["read", "write"])
    @pytest.mark.parametrize("kind", [Selectable, HalfCloseable])
    def test_mistake_ends_its_transport_alone(
        self,
        nested: NestedReactor,
        errors: list[LogEvent],
        kind: Any,
        deed: str,
    ) -> None:
        """What a handler raises is logged, and is the reason of its end."""
        with kind(**{deed: fail}) as wrong, Reader() as right:
            nested.addReader(wrong)
            nested.addReader(right)
            if deed == "write":
                nested.addWriter(wrong)
            wrong.peer.send(b"x")
            right.peer.send(b"x")
            nested.doRead()
            assert 1 == mistakes(errors)
            assert "connectionLost" == wrong.events[-1]
            assert wrong.reasons[0].check(Mistake)
            assert (b"x", [right]) == (right.received, nested.getReaders())
            nested.removeAll()

    def test_mistake_at_the_end_reaches_nobody_else(
        self, nested: NestedReactor, errors: list[LogEvent]
    ) -> None:
        """What ``connectionLost`` raises is logged, and the others go on."""
        with (
            Selectable(lambda: CONNECTION_DONE, lost=fail) as wrong,
            Reader() as right,
        ):
            nested.addReader(wrong)
            nested.addReader(right)
            wrong.peer.send(b"x")
            right.peer.send(b"x")
            nested.doRead()
            assert 1 == mistakes(errors)
            assert (b"x", [right]) == (right.received, nested.getReaders())
            nested.removeAll()

    def test_selectable_without_a_file_reaches_nobody_else(
        self, nested: NestedReactor, errors: list[LogEvent]
    ) -> None:
        """One that fails at telling its descriptor is logged, and the others go on."""
        with Selectable(fail) as wrong, Reader() as right:
            nested.addReader(wrong)
            nested.addReader(right)
            number = wrong.fileno()
            wrong.fileno = fail  # type: ignore[method-assign,assignment]
            wrong.peer.send(b"x")
            right.peer.send(b"x")
            nested.doRead()
            assert mistakes(errors) > 0
            assert b"x" == right.received
            wrong.fileno = lambda: number  # type: ignore[method-assign]
            nested.removeAll()

    async def test_protocol_that_fails_at_its_end(self, errors: list[LogEvent]) -> None:
        """A protocol that raises in ``connectionLost`` leaves the others open."""

        class Wrong(Protocol):
            def connectionLost(self, reason: Any = None) -> None:
                raise Mistake

        fast: Any = NestedReactor(IReactorFDSet(reactor))
        wrong = fast.listenTCP(0, Factory.forProtocol(Wrong), interface=HERE)
        echo = EchoFactory(log_connections=False)
        right = fast.listenTCP(0, echo, interface=HERE)
        client = await connect(right)
        other = await connect(wrong)
        await client.send(b"before")
        assert b"before" == await client.read(6)
        await other.abort()
        while not errors:
            await turn()
        assert 1 == mistakes(errors)
        await client.send(b"after")
        assert b"after" == await client.read(5)
        await client.abort()
        await echo.when_idle()
        await gatherResults([right.stopListening(), wrong.stopListening()])

    def test_every_transport_hears_of_the_end(
        self, nested: NestedReactor, errors: list[LogEvent]
    ) -> None:
        """At the end of the outer reactor, a mistake of one keeps it from nobody."""
        with Selectable(lost=fail) as wrong, Selectable() as right:
            nested.addReader(wrong)
            nested.addWriter(right)
            nested.connectionLost(Failure(CONNECTION_LOST))
            assert 1 == mistakes(errors)
            for selectable in (wrong, right):
                assert ["connectionLost"] == selectable.events
            assert nested.fileno() == -1


class TestRound:
    """What happens to the others in the round in which one is handled."""

    def test_removed_one_is_left_alone(self, nested: NestedReactor) -> None:
        """One that another removes in the same round is not handled any more."""
        everybody: list[Selectable] = []

        def end_the_others() -> None:
            for other in everybody:
                if not other.events:
                    drop(nested, other)

        everybody += [Selectable(end_the_others) for _ in range(3)]
        for selectable in everybody:
            nested.addReader(selectable)
            selectable.peer.send(b"x")
        nested.doRead()
        assert [[], [], ["doRead"] * ROUNDS_PER_TURN] == sorted(
            it.events for it in everybody
        )
        nested.removeAll()
        for selectable in everybody:
            selectable.__exit__()

    @pytest.mark.parametrize("is_hung_up", [False, True])
    def test_reused_descriptor(self, nested: NestedReactor, is_hung_up: bool) -> None:
        """What epoll said of a descriptor is not held against its next owner."""

        def replace(other: Selectable) -> None:
            if not new.events and new not in nested.getReaders():
                number = other.fileno()
                drop(nested, other)
                given = os.dup2(new.fileno(), number, inheritable=False)
                new.end.close()
                new.end = socket.socket(fileno=given)
                nested.addReader(new)
                nested.addWriter(new)

        with Selectable() as first, Selectable() as second, HalfCloseable() as new:
            first._read = lambda: replace(second)
            second._read = lambda: replace(first)
            for selectable in (first, second):
                nested.addReader(selectable)
                nested.addWriter(selectable)
                if is_hung_up:
                    selectable.peer.close()
                else:
                    selectable.peer.send(b"x")
            nested.doRead()
            assert {"doWrite"} == set(new.events)
            assert new in nested.getReaders()
            nested.removeAll()

    def test_last_one_goes_within_a_round(
        self, nested: NestedReactor, outer: Switchboard
    ) -> None:
        """The epoll closes in the middle of a round without a word."""
        before = descriptors()
        with Selectable() as first, Selectable() as second:

            def end_everything() -> None:
                nested.removeAll()

            for selectable in (first, second):
                selectable._read = end_everything
                nested.addReader(selectable)
                selectable.peer.send(b"x")
            nested.doRead()
            assert 1 == len(first.events + second.events)
            assert ([], -1) == (outer.readers, nested.fileno())
            nested.doRead()
        assert before == descriptors()

    def test_it_opens_again_within_a_round(
        self, nested: NestedReactor, outer: Switchboard
    ) -> None:
        """When the last one goes and another comes in one round, that one is heard."""
        with Selectable() as first, Reader() as second:

            def give_way() -> None:
                nested.removeAll()
                nested.addReader(second)

            first._read = give_way
            nested.addReader(first)
            first.peer.send(b"x")
            second.peer.send(b"y")
            nested.doRead()
            assert b"y" == second.received
            assert [nested] == outer.readers
            nested.removeAll()

    def test_paused_and_resumed_within_a_round(self, nested: NestedReactor) -> None:
        """One that stops and starts while another is handled misses nothing."""
        with Reader() as first, Selectable() as second:

            def toggle() -> None:
                second.end.recv(1)
                nested.removeReader(first)
                nested.addReader(first)

            second._read = toggle
            nested.addReader(second)
            nested.addReader(first)
            second.peer.send(b"x")
            first.peer.send(b"y")
            first.peer.close()
            nested.doRead()
            assert b"y" == first.received
            nested.removeAll()


class TestRegularFiles:
    """Files that epoll does not take, and the outer reactor does."""

    @pytest.fixture
    def on_disk(self, tmp_path: Path) -> Iterator[Selectable]:
        with (tmp_path / "file").open("wb+") as opened, Selectable() as selectable:
            selectable.fileno = opened.fileno  # type: ignore[method-assign]
            yield selectable

    def test_they_are_the_outer_one_s(
        self, nested: NestedReactor, outer: Switchboard, on_disk: Selectable
    ) -> None:
        """They go to the outer reactor, and come back from there."""
        nested.addReader(on_disk)
        nested.addReader(on_disk)
        nested.addWriter(on_disk)
        assert ([on_disk], [on_disk]) == (outer.readers, outer.writers)
        assert nested.fileno() == -1
        nested.removeReader(on_disk)
        assert ([], [on_disk]) == (outer.readers, outer.writers)
        nested.removeWriter(on_disk)
        nested.removeWriter(on_disk)
        assert ([], []) == (outer.readers, outer.writers)
        assert not nested._outside

    def test_they_do_not_close_the_epoll_of_others(
        self, nested: NestedReactor, outer: Switchboard, on_disk: Selectable
    ) -> None:
        """A file comes and goes beside others, even when it has been closed."""
        with Reader() as other:
            nested.addReader(other)
            nested.addWriter(on_disk)
            on_disk.fileno = lambda: -1  # type: ignore[method-assign]
            nested.removeWriter(on_disk)
            assert ([nested], []) == (outer.readers, outer.writers)
            nested.removeAll()

    async def test_they_are_read(self, on_disk: Selectable) -> None:
        """A file is read by the outer reactor until it is removed."""
        nested = NestedReactor(IReactorFDSet(reactor))
        nested.addReader(on_disk)
        while not on_disk.events:
            await turn()
        nested.removeReader(on_disk)
        assert {"doRead"} == set(on_disk.events)

    @pytest.mark.parametrize("is_first", [False, True])
    def test_they_hear_of_the_end_once(
        self,
        nested: NestedReactor,
        outer: Switchboard,
        on_disk: Selectable,
        is_first: bool,
    ) -> None:
        """At the end of the outer reactor a file is told by it alone."""
        on_disk._lost = lambda: nested.removeReader(on_disk)
        nested.addReader(on_disk)
        with Selectable() as other:
            nested.addReader(other)
            assert {on_disk, nested} == set(outer.removeAll())
            for ended in (on_disk, nested) if is_first else (nested, on_disk):
                ended.connectionLost(Failure(CONNECTION_LOST))
            assert ["connectionLost"] == on_disk.events == other.events
        assert ([], []) == (nested.getReaders(), outer.getReaders())

    def test_they_count_as_watched(
        self, nested: NestedReactor, on_disk: Selectable
    ) -> None:
        """Whoever asks for all that is watched is told of them, as by Twisted."""
        nested.addReader(on_disk)
        nested.addWriter(on_disk)
        told = nested.getReaders(), nested.getWriters(), nested.removeAll()
        nested.removeReader(on_disk)
        nested.removeWriter(on_disk)
        assert ([on_disk], [on_disk], [on_disk]) == told


async def connect(port: Any, on: Any = reactor) -> ClientProtocol:
    endpoint = TCP4ClientEndpoint(on, HERE, port.getHost().port)
    client: ClientProtocol = await connectProtocol(endpoint, ClientProtocol())
    return client


class Echo:
    """A TCP port on a nested reactor of its own."""

    def __init__(self) -> None:
        self.factory = EchoFactory(log_connections=False)
        self.nested: Any = NestedReactor(IReactorFDSet(reactor))
        self.port: Any = self.nested.listenTCP(0, self.factory, interface=HERE)


@pytest_twisted.async_yield_fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    yield made
    await maybeDeferred(made.port.stopListening)
    assert made.nested.fileno() == -1


class TestPorts:
    def test_tcp_ports_are_eager(self, echo: Echo) -> None:
        """The ports that it opens send at once."""
        assert isinstance(echo.port, EagerPort)
        assert isinstance(echo.port, tcp.Port)

    @pytest.mark.parametrize(
        ("family", "host", "kind"),
        [
            (socket.AF_INET, HERE, EagerPort),
            (socket.AF_INET6, "::1", EagerPort),
            (socket.AF_UNIX, "", None),
        ],
    )
    async def test_open_sockets_are_adopted(
        self, family: socket.AddressFamily, host: str, kind: Any, tmp_path: Path
    ) -> None:
        """Sockets that listen already are taken on, of each family."""
        factory = EchoFactory(log_connections=False)
        nested: Any = NestedReactor(IReactorFDSet(reactor))
        with socket.socket(family) as listening:
            address: Any = (host, 0) if host else str(tmp_path / "echo.sock")
            listening.bind(address)
            listening.listen()
            listening.setblocking(False)
            port = nested.adoptStreamPort(listening.fileno(), family, factory)
        assert (kind is not None) == isinstance(port, EagerPort)
        with socket.socket(family) as client:
            client.setblocking(False)
            where: Any = address
            if host:
                where = (host, port.getHost().port)
            client.connect_ex(where)
            while not factory.connections:
                await turn()
            (connection,) = factory.connections
            transport: Any = connection.transport
            assert (kind is not None) == isinstance(transport, EagerServer)
            client.send(b"x")
            while not connection.received_bytes:
                await turn()
            assert b"x" == client.recv(1)
        await factory.when_idle()
        await port.stopListening()
        assert nested.fileno() == -1

    def test_other_families_are_refused(self) -> None:
        """A family that Twisted does not know is refused as Twisted does."""
        nested: Any = NestedReactor(IReactorFDSet(reactor))
        with pytest.raises(UnsupportedAddressFamily):
            nested.adoptStreamPort(0, 4711, EchoFactory())
        assert nested.fileno() == -1

    async def test_connection_is_adopted(self) -> None:
        """A connected socket is taken on as well."""
        factory = EchoFactory(log_connections=False)
        nested: Any = NestedReactor(IReactorFDSet(reactor))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            nested.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)
            theirs.send(b"x")
            (connection,) = factory.connections
            while not connection.received_bytes:
                await turn()
            await turn()
            assert b"x" == theirs.recv(1)
        await factory.when_idle()
        assert nested.fileno() == -1

    async def test_unix_datagrams(self, tmp_path: Path) -> None:
        """Datagrams over UNIX sockets get through, from port to port."""
        received: Deferred[bytes] = Deferred()

        class Taker(DatagramProtocol):
            noisy = False

            def datagramReceived(self, datagram: bytes, addr: Any) -> None:
                received.callback(datagram)

        nested: Any = NestedReactor(IReactorFDSet(reactor))
        path = str(tmp_path / "datagrams.sock")
        port = nested.listenUNIXDatagram(path, Taker())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", path)
        assert b"x" == await received
        await port.stopListening()
        assert nested.fileno() == -1

    async def test_refused_connection(self, echo: Echo) -> None:
        """A client on it hears of a port that nobody listens on."""
        number = echo.port.getHost().port
        await echo.port.stopListening()
        endpoint = TCP4ClientEndpoint(echo.nested, HERE, number)
        with pytest.raises(ConnectError, match="refused"):
            await connectProtocol(endpoint, ClientProtocol())
        assert echo.nested.fileno() == -1


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
class TestTls:
    """Twisted's TLS over it, without its half-close."""

    SIZES = (1, 1000, 100_000, 1_000_003)

    async def test_tls_port(self) -> None:
        """What is sent through a TLS port comes back."""
        own = certificate()
        nested: Any = NestedReactor(IReactorFDSet(reactor))
        factory = EchoFactory(log_connections=False)
        port = nested.listenSSL(0, factory, own.options(), interface=HERE)
        trusting = optionsForClientTLS("localhost", trustRoot=own)
        endpoint = TCP4ClientEndpoint(nested, HERE, port.getHost().port)
        client = ClientProtocol()
        await connectProtocol(wrapClientTLS(trusting, endpoint), client)
        for size in self.SIZES:
            await client.send(payload(size))
            assert payload(size) == await client.read(size)
        client.transport.loseConnection()
        await client.ended
        await factory.when_idle()
        await port.stopListening()
        assert nested.fileno() == -1

    async def test_tls_is_started(self) -> None:
        """A connection that turns to TLS carries what it is given, in order."""
        own = certificate()

        class Turning(EchoProtocol):
            def dataReceived(self, data: bytes) -> None:
                transport: Any = self.transport
                if data == b"STARTTLS":
                    transport.write(b"OK")
                    transport.startTLS(own.options())
                else:
                    super().dataReceived(data)

        class TurningFactory(EchoFactory):
            def buildProtocol(self, addr: Any) -> EchoProtocol:
                return Turning(self)

        nested: Any = NestedReactor(IReactorFDSet(reactor))
        factory = TurningFactory(log_connections=False)
        port = nested.listenTCP(0, factory, interface=HERE)
        client = await connect(port, nested)
        await client.send(b"before")
        assert b"before" == await client.read(6)
        await client.send(b"STARTTLS")
        assert b"OK" == await client.read(2)
        transport: Any = client.transport
        transport.startTLS(optionsForClientTLS("localhost", trustRoot=own))
        for size in self.SIZES:
            await client.send(payload(size))
            assert payload(size) == await client.read(size)
        transport.loseConnection()
        await client.ended
        await factory.when_idle()
        await port.stopListening()


class TestTurns:
    """The outer reactor gets its turns."""

    async def test_timers_run_beside_a_busy_reader(self) -> None:
        """A reader that is always ready does not keep the outer reactor's timers."""
        nested = NestedReactor(IReactorFDSet(reactor))
        with Selectable() as busy:
            busy.peer.send(b"never read")
            nested.addReader(busy)
            for _ in range(20):
                before = len(busy.events)
                waited: Deferred[None] = Deferred()
                IReactorTime(reactor).callLater(0, waited.callback, None)
                await waited
                assert len(busy.events) - before <= 3 * ROUNDS_PER_TURN
            nested.removeAll()

    async def test_signals_run_beside_a_busy_reader(self) -> None:
        """Nor does it keep a signal from being handled."""
        caught: list[int] = []
        nested = NestedReactor(IReactorFDSet(reactor))
        previous = signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
        with Selectable() as busy:
            busy.peer.send(b"never read")
            nested.addReader(busy)
            os.kill(os.getpid(), signal.SIGUSR1)
            while not caught:
                await turn()
            nested.removeAll()
        signal.signal(signal.SIGUSR1, previous)

    def test_end_of_the_outer_reactor_ends_everything(
        self, nested: NestedReactor, outer: Switchboard
    ) -> None:
        """When the outer reactor ends, every transport hears of it, once."""
        with Selectable() as reader, HalfCloseable() as writer:
            nested.addReader(reader)
            nested.addWriter(reader)
            nested.addWriter(writer)
            reason = Failure(CONNECTION_LOST)
            for ended in outer.removeAll():
                ended.connectionLost(reason)
            for selectable in (reader, writer):
                assert (["connectionLost"], [reason]) == (
                    selectable.events,
                    selectable.reasons,
                )
            assert nested.fileno() == -1

    def test_shutdown_of_a_real_reactor(self) -> None:
        """A program that stops with connections open ends them, and itself."""
        program = """if True:
            from twisted.internet import reactor
            from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
            from twisted.internet.protocol import Factory, Protocol
            from echod.transport.nested import NestedReactor

            class Ended(Protocol):
                def connectionLost(self, reason):
                    print(reason.type.__name__)

            nested = NestedReactor(reactor)
            factory = Factory.forProtocol(Ended)
            port = nested.listenTCP(0, factory, interface="127.0.0.1")
            endpoint = TCP4ClientEndpoint(nested, "127.0.0.1", port.getHost().port)
            connected = connectProtocol(endpoint, Ended())
            connected.addCallback(lambda _: reactor.callLater(0.05, reactor.stop))
            reactor.run()
            assert nested.fileno() == -1
        """
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        ended = (done.returncode, done.stdout.split(), done.stderr)
        assert (0, ["ConnectionLost"] * 2, "") == ended


class TestChurn:
    CONNECTIONS = 2000
    AT_ONCE = 50

    async def test_nothing_is_left_of_many_connections(self) -> None:
        """Thousands of connections leave no descriptor, no entry and no object."""
        alive: weakref.WeakSet[Any] = weakref.WeakSet()

        class Remembering(EchoFactory):
            def connection_made(self, connection: EchoProtocol) -> None:
                super().connection_made(connection)
                alive.update((connection, connection.transport))

        factory = Remembering(log_connections=False)
        nested: Any = NestedReactor(IReactorFDSet(reactor))
        port = nested.listenTCP(0, factory, interface=HERE)
        before = descriptors()
        gc.disable()
        try:
            for _ in range(self.CONNECTIONS // self.AT_ONCE):
                await self.burst(factory, port.getHost().port)
        finally:
            gc.enable()
        assert self.CONNECTIONS == factory.counters.lost
        assert [] == list(alive)
        assert before == descriptors()
        assert [port] == nested.getReaders() == list(nested._selectables.values())
        assert [1] == list(nested._interest.values())
        assert [] == nested.getWriters() + list(nested._outside)
        assert len(nested._fresh) <= 1
        await port.stopListening()

    async def burst(self, factory: EchoFactory, number: int) -> None:
        """Connections that end in each way there is."""
        lost = factory.counters.lost
        clients = [
            socket.create_connection((HERE, number)) for _ in range(self.AT_ONCE)
        ]
        for index, client in enumerate(clients):
            client.settimeout(5)
            client.sendall(b"x" * index)
            if index % 3 == 0:
                client.shutdown(socket.SHUT_WR)
        while factory.counters.made - lost < self.AT_ONCE:
            await turn()
        for index, client in enumerate(clients):
            if index % 3 == 1:
                # What is unread makes the end a reset.
                client.close()
        while len(factory.connections) > self.AT_ONCE // 3:
            await turn()
        for connection in list(factory.connections):
            connection.abort()
        while factory.connections:
            await turn()
        for client in clients:
            client.close()
