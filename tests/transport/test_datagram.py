"""What ``DatagramPort`` and ``BatchedDatagramPort`` do beyond the contract."""

import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from echod.transport.batched.port import BatchedDatagramPort
from echod.transport.datagram import (
    DATAGRAMS_PER_WAKE,
    RECEIVE_BUFFER_BYTES,
    DatagramPort,
)

from ..support.ends import turn
from ..support.reluctant import inject

MOST_BUFFER_BYTES = int(Path("/proc/sys/net/core/rmem_max").read_text())


class Recorder(DatagramProtocol):
    """Keeps what it gets, and answers if it is told to."""

    noisy = False

    def __init__(self, *, answers: bool = True) -> None:
        self.received: list[tuple[bytes, tuple[str, int]]] = []
        self.refused = 0
        self._answers = answers

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.received.append((datagram, addr))
        if self._answers:
            assert self.transport is not None
            self.transport.write(datagram, addr)

    def connectionRefused(self) -> None:
        self.refused += 1


@pytest.fixture(params=[DatagramPort, BatchedDatagramPort])
def kind(request: pytest.FixtureRequest) -> type[DatagramPort]:
    """Either class of port; what they do is the same."""
    return cast("type[DatagramPort]", request.param)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest_twisted.async_yield_fixture
async def port(
    kind: type[DatagramPort], recorder: Recorder
) -> AsyncIterator[DatagramPort]:
    opened = kind(0, recorder, "", reactor=IReactorFDSet(reactor))
    opened.startListening()
    yield opened
    await opened.stopListening()


def number(port: DatagramPort) -> int:
    return cast("IPv4Address", port.getHost()).port


@pytest.fixture
def client(port: DatagramPort) -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(5)
        opened.connect(("127.0.0.1", number(port)))
        yield opened


async def test_answer_comes_from_the_asked_address(port: DatagramPort) -> None:
    """A client that asked 127.0.0.2 hears from 127.0.0.2."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.2", number(port)))
        client.send(b"who?")
        await turn()
        assert b"who?" == client.recv(100)


async def test_later_answer_comes_from_the_asked_address(
    port: DatagramPort, recorder: Recorder
) -> None:
    """A protocol may answer when it likes: the way back is in the address it got."""
    recorder._answers = False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.3", number(port)))
        client.send(b"who?")
        await turn()
        ((datagram, source),) = recorder.received
        await turn()
        port.write(datagram, source)
        assert b"who?" == client.recv(100)


async def test_source_is_what_twisted_protocols_expect(
    recorder: Recorder, client: socket.socket
) -> None:
    """The address that a protocol gets is a plain (host, port) to it."""
    client.send(b"x")
    await turn()
    host, source_port = recorder.received[0][1]
    assert client.getsockname() == (host, source_port) == recorder.received[0][1]


async def test_plain_address_will_do(port: DatagramPort, client: socket.socket) -> None:
    """A protocol may write to any address on its own account."""
    port.write(b"unasked", client.getsockname())
    assert b"unasked" == client.recv(100)


async def test_broadcast_is_not_given_to_the_protocol(
    port: DatagramPort, recorder: Recorder
) -> None:
    """A datagram to a broadcast address is counted and dropped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.sendto(b"everyone?", ("127.255.255.255", number(port)))
        await turn()
    assert ([], 1) == (recorder.received, port.counters.to_many_hosts)


async def test_longer_than_asked_for_is_not_cut(kind: type[DatagramPort]) -> None:
    """A datagram longer than maxPacketSize is counted and dropped, not shortened."""
    recorder = Recorder()
    port = kind(0, recorder, "127.0.0.1", 10, IReactorFDSet(reactor))
    port.startListening()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"01234567890", ("127.0.0.1", number(port)))
        client.sendto(b"0123456789", ("127.0.0.1", number(port)))
        await turn()
    await port.stopListening()
    assert ([b"0123456789"], 1) == (
        [datagram for datagram, _ in recorder.received],
        port.counters.truncated,
    )


async def test_reactor_turns_after_64_datagrams(
    port: DatagramPort, recorder: Recorder, client: socket.socket
) -> None:
    """However many datagrams wait, and however small, one wake takes 64."""
    for _ in range(2 * DATAGRAMS_PER_WAKE):
        client.send(b"")
    port.doRead()
    assert DATAGRAMS_PER_WAKE == 64 == len(recorder.received)
    port.doRead()
    assert 128 == len(recorder.received)


@pytest.mark.parametrize(
    "failure",
    [
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.ENETDOWN,
        errno.EHOSTUNREACH,
        errno.ECONNREFUSED,
    ],
)
async def test_failed_receive_is_counted_and_forgotten(
    port: DatagramPort, client: socket.socket, failure: int
) -> None:
    """After any failed receive the next datagram is answered."""
    inject(port, receive=(failure,))
    client.send(b"still there?")
    await turn()
    await turn()
    assert b"still there?" == client.recv(100)
    assert {errno.errorcode[failure]: 1} == port.counters.unread


@pytest.mark.parametrize(
    "failure",
    [errno.EPERM, errno.EACCES, errno.EHOSTUNREACH, errno.ENOBUFS, errno.EMSGSIZE],
)
async def test_failed_send_is_counted_and_forgotten(
    port: DatagramPort, client: socket.socket, failure: int
) -> None:
    """A datagram that the system refuses costs one count, and the next one passes."""
    port.write(b"first", client.getsockname())
    inject(port, send=(failure,))
    port.write(b"second", client.getsockname())
    port.write(b"third", client.getsockname())
    assert (b"first", b"third") == (client.recv(100), client.recv(100))
    assert {errno.errorcode[failure]: 1} == port.counters.unsent


async def test_unsendable_address_is_counted(port: DatagramPort) -> None:
    """A datagram from port 0 cannot be answered, and costs one count."""
    port.write(b"x", ("127.0.0.1", 0))
    assert {"EINVAL": 1} == port.counters.unsent


async def test_full_send_buffer_waits(
    port: DatagramPort, recorder: Recorder, client: socket.socket
) -> None:
    """While the system has no room, the answer waits and nothing more is read."""
    inject(port, send=(errno.EAGAIN, errno.EAGAIN))
    client.send(b"one")
    client.send(b"two")
    port.doRead()
    assert [b"one"] == [datagram for datagram, _ in recorder.received]
    assert port not in IReactorFDSet(reactor).getReaders()
    assert port in IReactorFDSet(reactor).getWriters()
    await turn()
    assert (b"one", b"two") == (client.recv(100), client.recv(100))
    assert port in IReactorFDSet(reactor).getReaders()
    assert port not in IReactorFDSet(reactor).getWriters()


async def test_waiting_datagrams_are_bounded(
    port: DatagramPort, client: socket.socket
) -> None:
    """A protocol that writes on and on does not grow the process."""
    inject(port, send=(errno.EAGAIN,))
    for index in range(DATAGRAMS_PER_WAKE + 10):
        port.write(b"%d" % index, client.getsockname())
    assert {"ENOBUFS": 10} == port.counters.unsent
    await turn()
    expected = [b"%d" % index for index in range(DATAGRAMS_PER_WAKE)]
    assert expected == [client.recv(100) for _ in expected]


async def test_failing_protocol_does_not_end_the_port(
    recorder: Recorder,
    client: socket.socket,
    errors: list[LogEvent],
) -> None:
    """An exception of the protocol is logged, and the next datagram is answered."""
    recorder.received = None  # type: ignore[assignment]
    client.send(b"first")
    await turn()
    recorder.received = []
    client.send(b"second")
    await turn()
    assert b"second" == client.recv(100)
    (event,) = errors
    assert isinstance(event["log_failure"].value, AttributeError)
    errors.clear()


async def test_pending_error_does_not_end_the_port(
    port: DatagramPort, client: socket.socket
) -> None:
    """What the reactor takes for the end of the socket is one count."""
    IReactorFDSet(reactor).removeReader(port)
    port.connectionLost(Failure(ConnectionLost()))
    client.send(b"still there?")
    await turn()
    assert b"still there?" == client.recv(100)
    assert 1 == port.counters.unread.total()


async def test_pending_error_lets_a_waiting_datagram_go(
    port: DatagramPort, client: socket.socket
) -> None:
    """A pending error while the send buffer is full does not stop the sending."""
    inject(port, send=(errno.EAGAIN,))
    port.write(b"late", client.getsockname())
    IReactorFDSet(reactor).removeWriter(port)
    port.connectionLost(Failure(ConnectionLost()))
    await turn()
    assert b"late" == client.recv(100)


async def test_connected_port_survives_icmp(
    kind: type[DatagramPort], recorder: Recorder
) -> None:
    """One port unreachable is told to the protocol, and does not close the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = nobody.getsockname()
    connected = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connected.setblocking(False)
    connected.connect(address)
    port = kind.from_socket(connected, recorder, IReactorFDSet(reactor))
    port.startListening()
    for expected in (1, 2):
        port.write(b"anybody?")
        for _ in range(100):
            if recorder.refused == expected:
                break
            await turn()
        assert expected == recorder.refused
    await port.stopListening()


async def test_stopped_port_takes_nothing_more(
    kind: type[DatagramPort], recorder: Recorder
) -> None:
    """A protocol that stops its port in the middle of a batch gets no more of it."""
    port = kind(0, recorder, "127.0.0.1", reactor=IReactorFDSet(reactor))
    port.startListening()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"one", ("127.0.0.1", number(port)))
        sender.sendto(b"two", ("127.0.0.1", number(port)))
        recorder._answers = False
        stopped = []

        def stop(datagram: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG001
            stopped.append((datagram, port.stopListening()))

        recorder.datagramReceived = stop  # type: ignore[method-assign]
        port.doRead()
    ((datagram, closed),) = stopped
    await closed
    assert b"one" == datagram


async def test_stopping_port_does_not_read_again(
    kind: type[DatagramPort], recorder: Recorder
) -> None:
    """What ends while a port stops does not start it anew."""
    port = kind(0, recorder, "127.0.0.1", reactor=IReactorFDSet(reactor))
    port.startListening()
    inject(port, send=(errno.EAGAIN,))
    port.write(b"late", ("127.0.0.1", number(port)))
    stopped = port.stopListening()
    port.doWrite()
    port.connectionLost(Failure(ConnectionLost()))
    assert port not in IReactorFDSet(reactor).getReaders()
    await stopped


@pytest.mark.parametrize("has_bytes", [4096, 2 * RECEIVE_BUFFER_BYTES])
async def test_burst_has_room(kind: type[DatagramPort], has_bytes: int) -> None:
    """A small receive buffer becomes larger, as far as it may; a larger one stays."""
    with socket.socket(type=socket.SOCK_DGRAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, has_bytes)
        bound.setblocking(False)
        bound.bind(("127.0.0.1", 0))
        port = kind.from_socket(bound, Recorder(), IReactorFDSet(reactor))
        port.startListening()
        room = bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        await port.stopListening()
    wanted = max(has_bytes, RECEIVE_BUFFER_BYTES)
    assert 2 * min(wanted, MOST_BUFFER_BYTES) == room
