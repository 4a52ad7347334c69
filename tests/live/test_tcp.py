"""Echo over TCP, as real clients meet it."""

import random
import resource
import signal
import socket
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from ..contract import payload
from ..support.connection import (
    PATIENCE_S,
    answer_on,
    connect,
    digest_of_pushed,
    digest_of_received,
    push,
    receive,
    reset,
    round_trip,
    send_in_background,
)
from ..support.daemon import Daemon
from ..support.injection import Injection
from ..support.latency import QUICK_S, round_trips_s, seconds_until, typical_p99_s
from ..support.network import FAST, SLOW, Network

pytestmark = pytest.mark.usefixtures("transport")

MEBIBYTE = 1024 * 1024

#: More than any system buffers for one connection.
UNREAD_BYTES = 64 * MEBIBYTE

# The commands of whoever copies standard input to a connection, and half-closes.
SOCAT = pytest.param(
    ("socat", "-t5", "-", "TCP:127.0.0.1:{}"),
    marks=pytest.mark.peer("socat"),
    id="socat",
)
NCAT = pytest.param(
    ("ncat", "127.0.0.1", "{}"),
    marks=pytest.mark.peer("ncat"),
    id="ncat",
)


@pytest.fixture(scope="module")
def echod(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("echod")) as daemon:
        yield daemon
    assert "Traceback" not in daemon.log


@pytest.fixture
def own_echod(transport: str, tmp_path: Path) -> Iterator[Daemon]:
    """A process that no other test has used."""
    with Daemon(tmp_path) as daemon:
        yield daemon
    assert "Traceback" not in daemon.log


def piped(peer: tuple[str, ...], port: int, data: bytes) -> bytes:
    """What the peer writes when ``data`` is its standard input."""
    command = [argument.format(port) for argument in peer]
    return subprocess.run(
        command, input=data, capture_output=True, check=True, timeout=PATIENCE_S
    ).stdout


@pytest.mark.parametrize("peer", [SOCAT, NCAT])
def test_every_piped_hello_comes_back(echod: Daemon, peer: tuple[str, ...]) -> None:
    """``printf hello | peer`` prints hello, 200 times of 200."""
    port = echod.ports["tcp"]
    with ThreadPoolExecutor(4) as four_at_once:
        answers = four_at_once.map(lambda _: piped(peer, port, b"hello"), range(200))
        assert {b"hello": 200} == Counter(answers)


@pytest.mark.parametrize("peer", [SOCAT, NCAT])
def test_piped_file_comes_back(echod: Daemon, peer: tuple[str, ...]) -> None:
    """64 MiB through a pipe come back as they were, all of them."""
    data = random.Random(0).randbytes(64 * MEBIBYTE)
    # Not `==` in an assert: pytest would explain the difference for minutes.
    is_whole = data == piped(peer, echod.ports["tcp"], data)
    assert is_whole


@pytest.mark.parametrize("size", [0, 1, 1000, 65_536, MEBIBYTE, 10 * MEBIBYTE])
def test_half_close_returns_everything(echod: Daemon, size: int) -> None:
    """A client that has no more to send gets every byte, and then the end."""
    data = payload(size)
    with connect(echod.ports["tcp"]) as connection:
        sending = send_in_background(connection, [data])
        is_whole = data == receive(connection, size + 1)
        sending.join()
    assert is_whole


def test_slow_reader_gets_interleaved_writes(echod: Daemon) -> None:
    """Writes of all sizes come back in order to a client that reads with pauses."""
    chance = random.Random(1)
    data = payload(4 * MEBIBYTE)
    edges = [0]
    while edges[-1] < len(data):
        edges.append(edges[-1] + chance.choice([1, 2, 7, 1459, 4096, 65_537]))
    pieces = [data[begin:end] for begin, end in pairwise(edges)]
    received = bytearray()
    with connect(echod.ports["tcp"]) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sending = send_in_background(connection, pieces)
        while piece := connection.recv(chance.randint(1, 30_000)):
            received += piece
            time.sleep(chance.choice([0, 0, 0.001]))
        sending.join()
    is_whole = data == received
    assert is_whole


def test_unread_answer_is_bounded_and_kept(own_echod: Daemon) -> None:
    """
    A client that never reads can send what the kernel holds and no more; when it
    reads after all, it gets every byte.
    """
    data = payload(1_000_003)
    before_bytes = own_echod.rss_bytes()
    with connect(own_echod.ports["tcp"]) as connection:
        (size,) = push([connection], data, UNREAD_BYTES, quiet_s=1.0)
        grown_bytes = own_echod.rss_bytes() - before_bytes
        connection.shutdown(socket.SHUT_WR)
        wanted = digest_of_pushed(data, size)
        assert wanted == digest_of_received(connection, size)
        assert b"" == connection.recv(1)
    assert size < UNREAD_BYTES
    assert grown_bytes < 2 * MEBIBYTE


def test_client_that_never_reads_delays_nobody(own_echod: Daemon) -> None:
    """
    Others' round trips stay quick, and echod idle, while one client does not read.

    The round trips are judged by the middle one of three attempts, because the
    machine may be busy; that echod is idle, by its own processor time.
    """
    port = own_echod.ports["tcp"]
    with connect(port) as stuck, connect(port) as other:
        (size,) = push([stuck], payload(1_000_003), UNREAD_BYTES, quiet_s=0.5)
        used_s = own_echod.cpu_s()
        time.sleep(0.5)
        used_s = own_echod.cpu_s() - used_s

        def attempt() -> list[float]:
            end_s = time.monotonic() + 0.5
            return round_trips_s(other, lambda: time.monotonic() < end_s)

        p99_s = typical_p99_s(attempt)
    assert size < UNREAD_BYTES
    assert used_s < 0.1
    assert p99_s < QUICK_S


def test_clients_that_never_read_cost_little(own_echod: Daemon) -> None:
    """A hundred clients that never read cost at most 256 KiB of memory each."""
    data = payload(1_000_003)
    before_bytes = own_echod.rss_bytes()
    with ExitStack() as stack:
        clients = []
        for _ in range(100):
            client = stack.enter_context(socket.socket())
            client.settimeout(PATIENCE_S)
            # The kernel's part, which is not under test, must fit into any machine.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            client.connect(("127.0.0.1", own_echod.ports["tcp"]))
            clients.append(client)
        sizes = push(clients, data, UNREAD_BYTES, quiet_s=0.5)
        grown_bytes = own_echod.rss_bytes() - before_bytes
        assert b"ping" == answer_on(own_echod.ports["tcp"])
    assert max(sizes) < UNREAD_BYTES
    assert grown_bytes / len(clients) <= 256 * 1024


def test_resets_leave_nothing(own_echod: Daemon) -> None:
    """1,000 connections that end in RST, early or late, leave no file and no error."""
    port = own_echod.ports["tcp"]
    assert b"ping" == answer_on(port)
    own_echod.wait_for(lambda log: log.count("Connection from") == 1)
    before = own_echod.open_files()
    for number in range(1000):
        connection = connect(port)
        if number % 4 >= 1:
            connection.sendall(payload(10_000))
        if number % 4 >= 2:
            assert receive(connection, 5_000)
        if number % 4 == 3:
            connection.shutdown(socket.SHUT_WR)
        reset(connection)
    seconds_until(lambda: own_echod.open_files() == before)
    assert b"ping" == answer_on(port)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for 1,000 connections, in this process and in those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"needs 4,096 open files; the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_burst_of_connects_is_served(own_echod: Daemon) -> None:
    """
    1,000 clients that connect before echod accepts one are all accepted and served.

    echod is stopped meanwhile, so that all of them wait in the queue at once.
    """
    somaxconn = int(Path("/proc/sys/net/core/somaxconn").read_text())
    if somaxconn < 1000:
        pytest.skip(f"needs a net.core.somaxconn of 1,000; it is {somaxconn}")
    own_echod.process.send_signal(signal.SIGSTOP)
    with ExitStack() as stack:
        stack.callback(own_echod.process.send_signal, signal.SIGCONT)
        clients = []
        for _ in range(1000):
            client = stack.enter_context(socket.socket())
            # A client for whom there is no room tries again after 1 s.
            client.settimeout(0.9)
            client.connect(("127.0.0.1", own_echod.ports["tcp"]))
            clients.append(client)
        own_echod.process.send_signal(signal.SIGCONT)
        for number, client in enumerate(clients):
            client.settimeout(PATIENCE_S)
            message = number.to_bytes(2)
            assert message == round_trip(client, message)


@pytest.mark.peer("ip", "tc")
def test_answers_do_not_wait_for_acknowledgements(tmp_path: Path) -> None:
    """
    An answer in two pieces comes without the 40 ms of a delayed acknowledgement.

    Two writes reach echod one by one only on a slow way, here of 200 kbit/s; then
    Nagle's algorithm would keep the second answer back until the first one is
    acknowledged, which the client puts off.
    """
    with Network() as network, network.socket(socket.SOCK_STREAM) as client:
        network.shape("200kbit", burst="100", default=FAST)
        with network.inside(Daemon(tmp_path)) as daemon:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, SLOW)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.connect(("127.0.0.1", daemon.ports["tcp"]))
            taken_s = []
            for _ in range(50):
                begin_s = time.perf_counter()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
                client.sendall(b"head")
                client.sendall(b"tail")
                assert b"headtail" == receive(client, 8)
                taken_s.append(time.perf_counter() - begin_s)
    assert statistics.median(taken_s) < 0.03


@pytest.mark.peer("strace")
@pytest.mark.parametrize(
    "error", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPERM"]
)
def test_failed_accept_ends_nothing(tmp_path: Path, error: str) -> None:
    """After an accept that failed, whatever the error, the port serves at once."""
    with Daemon(tmp_path) as daemon:

        def answer() -> bytes:
            # A client may be the one that pays for the error.
            with suppress(ConnectionError):
                return answer_on(daemon.ports["tcp"])
            return b""

        with Injection(tmp_path, daemon.process.pid, "accept4", error) as injection:
            waited_s = seconds_until(lambda: answer() and injection.failed_calls)
            assert b"ping" == answer()
    assert waited_s < 1
    assert "Traceback" not in daemon.log
