"""What ``BatchedDatagramPort`` does by the batch."""

import errno
import gc
import select
import socket
import weakref
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import LogEvent

from echod import EchoDatagramProtocol
from echod.policy.source import Refusal, SourceGuard
from echod.transport.batched.port import Batch, BatchedDatagramPort
from echod.transport.datagram import DATAGRAMS_PER_WAKE, DatagramPort
from echod.wire import pktinfo

from ...contract import payload
from ...support.reluctant import inject, inject_calls
from ...support.turned import (
    Switchboard,
    answers,
    ask,
    asker,
    datagrams,
    here,
    opened,
)


@pytest.fixture
def protocol() -> EchoDatagramProtocol:
    return EchoDatagramProtocol()


class Taker(DatagramProtocol):
    """Does with a batch what the test says."""

    noisy = False

    def __init__(self, take: Any) -> None:
        self._take = take

    def batchReceived(self, batch: Batch) -> None:
        self._take(batch)


class TestAnswer:
    @pytest.mark.parametrize(
        ("interface", "host"),
        [
            ("127.0.0.1", "127.0.0.1"),
            ("", "127.0.0.2"),
            ("::1", "::1"),
            ("::", "::1"),
            ("::", "127.0.0.2"),
        ],
    )
    def test_batch_is_one_call_each_way(
        self, protocol: EchoDatagramProtocol, interface: str, host: str
    ) -> None:
        """What waits is answered by one call, from the address that was asked."""
        with opened(protocol, interface) as port, asker(here(port, host)) as client:
            calls = inject_calls(port)
            ask(client, datagrams(20))
            port.doRead()
            # A connected client hears from no other address than the one it asked.
            assert datagrams(20) == answers(client)
        assert ([64], [20]) == tuple(call.counts for call in calls)
        assert 20 == protocol.counters.answered

    def test_families_share_a_batch(self, protocol: EchoDatagramProtocol) -> None:
        """A socket of both families answers each in its own."""
        with (
            opened(protocol, "::") as port,
            asker(here(port, "::1")) as six,
            asker(here(port)) as four,
        ):
            for index in range(3):
                six.send(b"six%d" % index)
                four.send(b"four%d" % index)
            port.doRead()
            assert [b"six0", b"six1", b"six2"] == answers(six)
            assert [b"four0", b"four1", b"four2"] == answers(four)

    def test_lengths_do_not_stay(self, protocol: EchoDatagramProtocol) -> None:
        """A short datagram leaves its slot as good for a long one, and the reverse."""
        with opened(protocol) as port, asker(here(port)) as client:
            for sizes in ([0, 1, 60_000], [60_000, 0, 1], [1, 60_000, 0]):
                ask(client, [payload(size) for size in sizes])
                port.doRead()
                assert [payload(size) for size in sizes] == answers(client)

    def test_at_most_64_a_wake(self, protocol: EchoDatagramProtocol) -> None:
        """However many wait, the reactor turns after 64."""
        with opened(protocol) as port, asker(here(port)) as client:
            ask(client, datagrams(100))
            port.doRead()
            assert datagrams(64) == answers(client)
            port.doRead()
            assert datagrams(100)[64:] == answers(client)

    def test_connected_port(self, protocol: EchoDatagramProtocol) -> None:
        """A socket that has one peer answers it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            connected.setblocking(False)
            connected.bind(("127.0.0.1", 0))
            connected.connect(client.getsockname())
            client.connect(connected.getsockname())
            switchboard = cast("IReactorFDSet", Switchboard())
            port = BatchedDatagramPort.from_socket(connected, protocol, switchboard)
            port.startListening()
            ask(client, datagrams(3))
            port.doRead()
            assert datagrams(3) == answers(client)
            port.connectionLost()

    def test_nothing_there(self, protocol: EchoDatagramProtocol) -> None:
        """A wake for nothing counts for nothing."""
        with opened(protocol) as port:
            port.doRead()
            assert 0 == port.counters.unread.total() == protocol.counters.answered


class TestRefusal:
    def test_refused_sources_are_left_out(self) -> None:
        """The others of the batch are answered in order; each refusal is counted."""
        with opened(EchoDatagramProtocol()) as port:
            with asker(here(port)) as good, asker(here(port)) as bad:
                protocol = port.protocol
                protocol._guard = SourceGuard([bad.getsockname()[1]])
                calls = inject_calls(port)
                for datagram in datagrams(5):
                    good.send(datagram)
                    bad.send(datagram)
                port.doRead()
                assert (datagrams(5), []) == (answers(good), answers(bad))
                # The slots are as good as new for the next batch.
                ask(good, datagrams(10))
                port.doRead()
                assert datagrams(10) == answers(good)
            assert [5, 10] == calls[1].counts
            assert {Refusal.OWN_PORT: 5} == dict(protocol.counters.refused)
            assert 15 == protocol.counters.answered

    def test_all_refused(self) -> None:
        """Then nothing is sent at all."""
        with opened(EchoDatagramProtocol()) as port, asker(here(port)) as bad:
            port.protocol._guard = SourceGuard([bad.getsockname()[1]])
            calls = inject_calls(port)
            ask(bad, datagrams(3))
            port.doRead()
            assert ([], []) == (answers(bad), calls[1].counts)

    def test_broadcast_among_others(self, protocol: EchoDatagramProtocol) -> None:
        """It is dropped and counted; the others are answered, then and later."""
        with opened(protocol, "") as port, asker(here(port)) as client:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                client.send(b"before")
                caller.sendto(b"everyone?", here(port, "127.255.255.255"))
                client.send(b"after")
            for expected in ([b"before", b"after"], [b"next"] * 3):
                port.doRead()
                assert expected == answers(client)
                ask(client, [b"next"] * 3)
            assert (1, 5) == (port.counters.to_many_hosts, protocol.counters.answered)

    def test_too_long_among_others(self, protocol: EchoDatagramProtocol) -> None:
        """One that is longer than the port takes is dropped and counted."""
        with opened(protocol, maxPacketSize=10) as port, asker(here(port)) as client:
            ask(client, [b"0123456789", b"01234567890", b"x"])
            port.doRead()
            assert [b"0123456789", b"x"] == answers(client)
            assert 1 == port.counters.truncated

    def test_socket_that_says_less_for_a_while(
        self, protocol: EchoDatagramProtocol
    ) -> None:
        """Without packet information it answers too; with it, all is as before."""
        with opened(protocol, "") as port:
            calls = inject_calls(port)
            for is_on, host in ((0, "127.0.0.1"), (1, "127.0.0.2")):
                port.socket.setsockopt(socket.IPPROTO_IP, pktinfo.IP_PKTINFO, is_on)
                with asker(here(port, host)) as client:
                    ask(client, datagrams(3))
                    port.doRead()
                    assert datagrams(3) == answers(client)
            assert [3] == calls[1].counts


class TestFullBuffer:
    def test_rest_waits(self, protocol: EchoDatagramProtocol) -> None:
        """What the system has no room for waits, and nothing is read meanwhile."""
        with opened(protocol) as port, asker(here(port)) as client:
            inject_calls(port, send=[2, -errno.EAGAIN, -errno.EAGAIN, 1])
            ask(client, datagrams(5))
            port.doRead()
            assert datagrams(2) == answers(client)
            assert (set(), {port}) == (port.reactor.readers, port.reactor.writers)
            ask(client, [b"later"])
            port.doRead()
            port.doWrite()
            assert [] == answers(client)
            assert {port} == port.reactor.writers
            port.doWrite()
            assert datagrams(5)[2:] == answers(client)
            assert ({port}, set()) == (port.reactor.readers, port.reactor.writers)
            port.doRead()
            assert [b"later"] == answers(client)
            assert 6 == protocol.counters.answered

    def test_writing_meanwhile_keeps_the_order(
        self, protocol: EchoDatagramProtocol
    ) -> None:
        """What is written while a batch waits is sent after it."""
        with opened(protocol) as port, asker(here(port)) as client:
            inject_calls(port, send=[1, -errno.EAGAIN])
            ask(client, datagrams(3))
            port.doRead()
            port.write(b"written", client.getsockname())
            port.doWrite()
            assert [*datagrams(3), b"written"] == answers(client)

    def test_batch_goes_behind_what_waits(self) -> None:
        """A protocol that writes more than may wait still has its batch answered."""

        def take(batch: Batch) -> None:
            inject(port, send=(errno.EAGAIN,))
            for datagram in datagrams(DATAGRAMS_PER_WAKE + 1):
                port.write(datagram, client.getsockname())
            batch.answer()

        with opened(Taker(take)) as port, asker(here(port)) as client:
            ask(client, [b"first", b"second"])
            port.doRead()
            assert [] == answers(client)
            port.doWrite()
            assert [*datagrams(64), b"first", b"second"] == answers(client)
            assert {"ENOBUFS": 1} == port.counters.unsent

    def test_stopped_port_gives_up_what_waits(
        self, protocol: EchoDatagramProtocol
    ) -> None:
        """A port that is told to stop does so, whatever waits."""
        with opened(protocol) as port, asker(here(port)) as client:
            inject_calls(port, send=[1, -errno.EAGAIN])
            ask(client, datagrams(3))
            port.doRead()
            port.stopListening()
            port.doRead()
            assert set() == port.reactor.readers
        assert 3 == protocol.counters.answered


class TestFailedCall:
    def test_refused_datagram_costs_one_count(
        self, protocol: EchoDatagramProtocol
    ) -> None:
        """The system refuses one in the middle: the others are sent."""
        with opened(protocol) as port, asker(here(port)) as client:
            inject_calls(port, send=[2, -errno.EPERM])
            ask(client, datagrams(5))
            port.doRead()
            assert [it for it in datagrams(5) if it[:1] != b"2"] == answers(client)
            assert {"EPERM": 1} == port.counters.unsent
            assert {port} == port.reactor.readers

    def test_last_one_refused(self, protocol: EchoDatagramProtocol) -> None:
        """When the last one cannot be sent, the batch is done."""
        with opened(protocol) as port, asker(here(port)) as client:
            inject_calls(port, send=[1, -errno.ENOBUFS])
            ask(client, datagrams(2))
            port.doRead()
            assert [b"0"] == answers(client)
            assert (set(), {"ENOBUFS": 1}) == (
                port.reactor.writers,
                port.counters.unsent,
            )

    def test_failed_receive(self, protocol: EchoDatagramProtocol) -> None:
        """A receive that fails loses nothing."""
        with opened(protocol) as port, asker(here(port)) as client:
            inject_calls(port, receive=[-errno.ENOMEM])
            ask(client, datagrams(2))
            port.doRead()
            assert [] == answers(client)
            port.doRead()
            assert datagrams(2) == answers(client)
            assert {"ENOMEM": 1} == port.counters.unread


class TestProtocol:
    def test_exception_does_not_end_the_port(self, errors: list[LogEvent]) -> None:
        """It is logged, and the next batch is answered."""
        batches = []

        def take(batch: Batch) -> None:
            batches.append(batch)
            if len(batches) == 1:
                raise ZeroDivisionError
            batch.answer()

        with opened(Taker(take)) as port, asker(here(port)) as client:
            for expected in ([], [b"0"]):
                ask(client, datagrams(1))
                port.doRead()
                assert expected == answers(client)
        (event,) = errors
        assert isinstance(event["log_failure"].value, ZeroDivisionError)
        errors.clear()

    def test_batch_is_answered_once(self) -> None:
        """Answering again, or too late, does nothing."""
        taken: list[tuple[Batch, list[int]]] = []

        def take(batch: Batch) -> None:
            taken.append((batch, [batch.answer(), batch.answer()]))

        with opened(Taker(take)) as port, asker(here(port)) as client:
            ask(client, datagrams(3))
            port.doRead()
            ((batch, counts),) = taken
            assert ([3, 0], 0) == (counts, batch.answer())
            assert datagrams(3) == answers(client)

    def test_batch_need_not_be_answered(self) -> None:
        """What was dropped from a batch that was not answered is no longer dropped."""
        taken: list[Batch] = []

        def take(batch: Batch) -> None:
            taken.append(batch)
            if len(taken) == 1:
                batch.drop(0)
            else:
                batch.answer()

        with opened(Taker(take)) as port, asker(here(port)) as client:
            for expected in ([], datagrams(2)):
                ask(client, datagrams(2))
                port.doRead()
                assert expected == answers(client)

    def test_batch_says_who_asks(self) -> None:
        """The sources are those of the datagrams, in order."""
        said: list[Any] = []

        def take(batch: Batch) -> None:
            indexes = range(len(batch))
            said.extend(zip(batch.ports, map(batch.source, indexes), strict=True))

        for interface, host in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            with (
                opened(Taker(take), interface) as port,
                asker(here(port, host)) as one,
                asker(here(port, host)) as two,
            ):
                for client in (one, two, one):
                    client.send(b"")
                port.doRead()
                sources = [it.getsockname()[:2] for it in (one, two, one)]
            assert [(source[1], source) for source in sources] == said
            said.clear()


class TestEnd:
    def test_closed_port_holds_no_memory(self, protocol: EchoDatagramProtocol) -> None:
        """Whoever still reads the counters does not keep 4 MiB."""
        with opened(protocol) as port, asker(here(port)) as client:
            ask(client, datagrams(3))
            port.doRead()
            slots = weakref.ref(port._slots)
        gc.collect()
        assert slots() is None
        assert 0 == port.counters.unsent.total()

    def test_reactor_that_gives_up_is_not_the_end(
        self, protocol: EchoDatagramProtocol
    ) -> None:
        """An error that is pending on the socket leaves the port as it is."""
        with opened(protocol) as port, asker(here(port)) as client:
            port.connectionLost(cast("Any", "a reason"))
            ask(client, datagrams(3))
            port.doRead()
            assert datagrams(3) == answers(client)


#: A datagram: which client, how many bytes, and whether to everybody.
_DATAGRAMS = st.tuples(
    st.integers(0, 2),
    st.just(64) | st.integers(0, 100) | st.integers(0, 60_000),
    st.sampled_from([False, False, False, True]),
)

#: Reading now, or what the next call to send does.
_EVENTS = _DATAGRAMS | st.just("read") | st.sampled_from([1, 2, -errno.EAGAIN])


@settings(max_examples=100)
@given(st.lists(_EVENTS, max_size=30))
def test_same_as_one_by_one(events: list[Any]) -> None:
    """Whatever comes in whatever order, both ports give the same answers and counts."""
    assert outcome(DatagramPort, events) == outcome(BatchedDatagramPort, events)


def outcome(kind: type[DatagramPort], events: list[Any]) -> tuple[Any, ...]:
    """What three clients get, of whom the last is refused, and what is counted."""
    protocol = EchoDatagramProtocol(SourceGuard())
    with (
        opened(protocol, "", kind) as port,
        asker(here(port)) as one,
        asker(here(port)) as two,
        asker(here(port)) as bad,
    ):
        protocol._guard = SourceGuard([bad.getsockname()[1]])
        clients = [one, two, bad]
        sent_bytes = 0
        for event in events:
            if event == "read":
                drain(port)
                sent_bytes = 0
            elif isinstance(event, int):
                if isinstance(port, BatchedDatagramPort):
                    inject_calls(port, send=[event])
            elif sent_bytes < 60_000:  # More might not fit, and be lost on the way.
                index, size, is_to_all = event
                send(clients[index], size, is_to_all, here(port)[1])
                sent_bytes += size
        drain(port)
        received = [answers(client) for client in clients]
    counters = protocol.counters
    return received, counters.answered, counters.refused, counters.failed, port.counters


def send(client: socket.socket, size: int, is_to_all: bool, port: int) -> None:
    if not is_to_all:
        client.send(payload(size))
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        caller.sendto(payload(size), ("127.255.255.255", port))


def drain(port: DatagramPort) -> None:
    """Turn until there is nothing to be read or written."""
    switchboard = cast("Any", port.reactor)
    while port in switchboard.writers or select.select([port.socket], [], [], 0)[0]:
        if port in switchboard.writers:
            port.doWrite()
        else:
            port.doRead()
