"""Echo over UDP, as real clients and real attackers meet it."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from ..contract import DATAGRAM_SIZES, payload
from ..support.asker import Address, Asker
from ..support.connection import answer_on, connect
from ..support.daemon import Daemon
from ..support.forgery import forge
from ..support.injection import Injection
from ..support.latency import QUICK_S, round_trips_s, seconds_until, typical_p99_s
from ..support.network import FAST, SLOW, Network

# A child process, so that it does not share an interpreter with the measurement.
FLOOD = """
import socket
import sys

port, size, count = map(int, sys.argv[1:])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.connect(("127.0.0.1", port))
    for _ in range(count):
        s.send(bytes(size))
"""

#: The errors of a UDP socket that are about one datagram, or about one moment.
PASSING_ERRORS = ["ENOMEM", "ENOBUFS", "ENETDOWN", "EHOSTUNREACH", "ECONNREFUSED"]

#: The edges of one datagram, and the most that IPv6 carries.
pytestmark = pytest.mark.usefixtures("transport")

SIZES = [*DATAGRAM_SIZES, 65_506]
IPV6_SIZES = [*SIZES, 65_527]

_TOTALS = re.compile(r"datagrams: (\d+) answered, (\d+) refused")


@pytest.fixture(scope="module")
def echod(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("echod")) as daemon:
        yield daemon
    assert "Traceback" not in daemon.log


@pytest.fixture(scope="module")
def wildcard(
    transport: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """On every IPv4 address of this host."""
    folder = tmp_path_factory.mktemp("wildcard")
    with Daemon(folder, "--listen", "udp:0", listeners=1) as daemon:
        yield daemon
    assert "Traceback" not in daemon.log


@pytest.fixture(scope="module")
def ipv6(transport: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    try:
        Asker(("::1", 0)).close()
    except OSError as error:
        pytest.skip(f"needs IPv6: {error}")
    listen = r"udp:0:interface=\:\:1"
    folder = tmp_path_factory.mktemp("ipv6")
    with Daemon(folder, "--listen", listen, listeners=1) as daemon:
        yield daemon
    assert "Traceback" not in daemon.log


@contextmanager
def listening_on(folder: Path, host: str, port: int = 0) -> Iterator[Daemon]:
    """An echod of its own on one UDP address."""
    folder.mkdir()
    listen = f"udp:{port}:interface={host}"
    with Daemon(folder, "--listen", listen, listeners=1) as daemon:
        yield daemon
    assert "Traceback" not in daemon.log


def totals(daemon: Daemon) -> tuple[int, int]:
    """How many datagrams a process answered, and refused, before it was stopped."""
    daemon.stop()
    match = _TOTALS.search(daemon.log)
    assert match is not None
    return int(match[1]), int(match[2])


def asker_from(source: Address) -> Asker:
    """An asker; skips the test where the system does not give it its port."""
    try:
        return Asker(source)
    except OSError as error:
        pytest.skip(f"needs to bind {source}: {error}")


def answers_to(asker: Asker, sent_to: Address, service: Address) -> list[bytes]:
    """
    What ``asker`` gets for a datagram to ``sent_to``, an address of ``service``.

    A service takes its datagrams in order: when a later one has been answered,
    nothing more can come.
    """
    asker.sendto(b"ping", sent_to)
    with Asker() as later:
        assert b"later" == later.ask(service, b"later")[0]
    return asker.received()


class TestAnswer:
    @pytest.mark.parametrize("size", SIZES)
    def test_ipv4(self, echod: Daemon, size: int) -> None:
        """A datagram of any size comes back over IPv4, from where it was sent to."""
        service = ("127.0.0.1", echod.ports["udp"])
        data = payload(size)
        with Asker() as asker:
            assert (data, service) == asker.ask(service, data)

    @pytest.mark.parametrize("size", IPV6_SIZES)
    def test_ipv6(self, ipv6: Daemon, size: int) -> None:
        """A datagram of any size comes back over IPv6, from where it was sent to."""
        service = ("::1", ipv6.ports["udp"])
        data = payload(size)
        with Asker(("::1", 0)) as asker:
            assert (data, service) == asker.ask(service, data)

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.255.255.254"])
    def test_comes_from_the_address_that_was_asked(
        self, wildcard: Daemon, host: str
    ) -> None:
        """A service on all addresses answers from the one that was asked."""
        with Asker() as asker:
            # A connected socket gets nothing from any other address.
            asker.connect((host, wildcard.ports["udp"]))
            asker.send(b"ping")
            assert b"ping" == asker.recv(5)

    @pytest.mark.peer("ip")
    @pytest.mark.parametrize("prefix", ["fd00::", "fe80::"])
    def test_ipv6_comes_from_the_address_that_was_asked(
        self, tmp_path: Path, prefix: str
    ) -> None:
        """The same over IPv6, also for addresses that mean one link only."""
        echod = Daemon(tmp_path, "--listen", r"udp:0:interface=\:\:", listeners=1)
        with Network() as network, network.inside(echod):
            for host in (f"{prefix}1/64", f"{prefix}2/64"):
                network.run("ip", "address", "add", host, "dev", "lo", "nodad")
            is_one_link = prefix == "fe80::"
            link = network.call(socket.if_nametoindex, "lo") if is_one_link else 0

            def answer() -> bytes:
                # An address is there only some time after it was added.
                source = (f"{prefix}1", 0, 0, link)
                with suppress(OSError), network.call(Asker, source) as asker:
                    asker.settimeout(0.2)
                    asker.connect((f"{prefix}2", echod.ports["udp"], 0, link))
                    asker.send(b"ping")
                    return asker.recv(5)
                return b""

            seconds_until(answer)

    def test_goes_to_the_client_that_asked(self, echod: Daemon) -> None:
        """Each of 100 clients that ask at once gets its own answer and no other."""
        service = ("127.0.0.1", echod.ports["udp"])
        with ExitStack() as stack:
            askers = [stack.enter_context(Asker()) for _ in range(100)]
            for number, asker in enumerate(askers):
                asker.sendto(number.to_bytes(2), service)
            for number, asker in enumerate(askers):
                assert number.to_bytes(2) == asker.recv(3)
            assert [] == [it for asker in askers for it in asker.received()]


class TestNoAnswer:
    @pytest.mark.parametrize("port", [7, 123, 1023, 1900, 11211])
    def test_port_of_a_service(self, echod: Daemon, port: int) -> None:
        """A datagram from a service's port gets no answer, or the two would loop."""
        service = ("127.0.0.1", echod.ports["udp"])
        with asker_from(("127.0.0.9", port)) as asker:
            assert [] == answers_to(asker, service, service)

    def test_forged_reserved_ports(self, tmp_path: Path) -> None:
        """None of the ports 0 to 1023 gets an answer, and each is counted."""
        with listening_on(tmp_path / "echod", "127.0.0.1") as echod, Asker() as asker:
            service = ("127.0.0.1", echod.ports["udp"])
            for port in range(1024):
                forge(("127.0.0.1", port), service, b"ping")
                # More than 256 that wait would not fit into a default buffer.
                if port % 64 == 0:
                    assert b"ping" == asker.ask(service)[0]
            assert b"ping" == asker.ask(service)[0]
            assert (17, 1024) == totals(echod)

    def test_own_port(self, echod: Daemon) -> None:
        """A datagram from echod's own port number gets no answer, on whatever host."""
        service = ("127.0.0.1", echod.ports["udp"])
        with asker_from(("127.0.0.2", service[1])) as asker:
            assert [] == answers_to(asker, service, service)

    def test_other_ports_get_one(self, echod: Daemon) -> None:
        """A datagram from the port beside echod's is answered."""
        service = ("127.0.0.1", echod.ports["udp"])
        with asker_from(("127.0.0.2", service[1] ^ 1)) as asker:
            assert [b"ping"] == answers_to(asker, service, service)

    def test_broadcast(self, wildcard: Daemon) -> None:
        """A broadcast, which reaches a service on all addresses, gets no answer."""
        port = wildcard.ports["udp"]
        with Asker() as asker, Asker(("", 0)) as witness:
            asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            asker.sendto(b"ping", ("127.255.255.255", witness.getsockname()[1]))
            assert b"ping" == witness.recv(5), "broadcasts do not arrive here"
            answers = answers_to(asker, ("127.255.255.255", port), ("127.0.0.1", port))
        assert [] == answers

    @pytest.mark.peer("ip")
    @pytest.mark.parametrize("group", ["224.0.0.1", "255.255.255.255"])
    def test_all_hosts_of_a_link(self, tmp_path: Path, group: str) -> None:
        """A datagram to all hosts of a link gets no answer."""
        echod = Daemon(tmp_path, "--listen", "udp:0", listeners=1)
        with Network() as network, network.inside(echod):
            network.run("ip", "link", "set", "lo", "multicast", "on")
            network.run("ip", "route", "add", group, "dev", "lo")
            port = echod.ports["udp"]
            with network.call(Asker) as asker, network.call(Asker, ("", 0)) as witness:
                asker.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                asker.sendto(b"ping", (group, witness.getsockname()[1]))
                assert b"ping" == witness.recv(5), "such datagrams do not arrive here"
                answers = network.call(
                    answers_to, asker, (group, port), ("127.0.0.1", port)
                )
        assert [] == answers

    def test_client_that_is_gone(self, echod: Daemon) -> None:
        """A client that is gone before its answer comes leaves no line in the log."""
        service = ("127.0.0.1", echod.ports["udp"])
        log = echod.log
        for _ in range(10):
            # As many as wait in any buffer while echod has no processor.
            for _ in range(50):
                with Asker() as asker:
                    asker.sendto(b"ping", service)
            with Asker() as asker:
                assert b"ping" == asker.ask(service)[0]
        assert log == echod.log

    @pytest.mark.peer("ip")
    def test_source_without_a_route(self, tmp_path: Path) -> None:
        """Neither does a source to which there is no way, whatever it asks."""
        nowhere = ("192.0.2.1", 50_000)  # RFC 5737: nobody's.
        with Network() as network, network.inside(Daemon(tmp_path)) as echod:
            service = ("127.0.0.1", echod.ports["udp"])
            log = echod.log
            with network.call(Asker) as asker, network.call(Asker) as witness:
                network.call(forge, nowhere, witness.getsockname(), b"ping")
                assert b"ping" == witness.recv(5), "such datagrams do not arrive here"
                for _ in range(100):
                    network.call(forge, nowhere, service, b"ping")
                assert b"ping" == asker.ask(service)[0]
            assert log == echod.log


class TestLoop:
    def test_two_services_on_one_port_number(self, tmp_path: Path) -> None:
        """A datagram forged between them is answered by neither."""
        with (
            listening_on(tmp_path / "first", "127.0.0.1") as first,
            listening_on(
                tmp_path / "second", "127.0.0.2", first.ports["udp"]
            ) as second,
        ):
            forge_between(first, second, ("127.0.0.1", "127.0.0.2"))
            assert (0, 1) == totals(second)
            assert (0, 0) == totals(first)

    def test_with_itself(self, tmp_path: Path) -> None:
        """
        An empty datagram that seems to come from where it goes to is not answered,
        and does not keep echod from answering the next one.
        """
        with listening_on(tmp_path / "echod", "127.0.0.1") as echod, Asker() as asker:
            service = ("127.0.0.1", echod.ports["udp"])
            forge(service, service, b"")
            asker.settimeout(1)
            assert b"ping" == asker.ask(service)[0]
            assert (1, 1) == totals(echod)


def forge_between(first: Daemon, second: Daemon, hosts: tuple[str, str]) -> None:
    """Give ``second`` a datagram that seems to be from ``first``, and a moment."""
    source, destination = zip(
        hosts, (first.ports["udp"], second.ports["udp"]), strict=True
    )
    forge(source, destination, b"ping")
    # Two that loop send each other some thousand datagrams in this time.
    time.sleep(0.3)


class TestLoad:
    @pytest.mark.parametrize("size", [0, 1])
    def test_flood_delays_no_connection(self, echod: Daemon, size: int) -> None:
        """
        TCP round trips stay quick while 100,000 tiny datagrams come.

        Judged by the middle one of three attempts, because the flood, echod and the
        measurement share what may be two processors with everything else.
        """
        port = str(echod.ports["udp"])
        command = [sys.executable, "-c", FLOOD, port, str(size), "100000"]

        def attempt() -> list[float]:
            with subprocess.Popen(command) as flood:
                samples_s = round_trips_s(connection, lambda: flood.poll() is None)
            assert 0 == flood.returncode
            return samples_s

        with connect(echod.ports["tcp"]) as connection:
            assert typical_p99_s(attempt) < QUICK_S

    @pytest.mark.peer("ip", "tc")
    def test_full_send_buffer_loses_nothing(self, tmp_path: Path) -> None:
        """
        Answers wait while the system has no room for them, and the log is silent.

        The way back is slow. Batches are sent until echod leaves one unread, which
        it does only while an answer waits; then one more, for its receive buffer.
        """
        data = [number.to_bytes(2) + bytes(1000) for number in range(1000)]
        with Network() as network, network.inside(Daemon(tmp_path)) as echod:
            network.shape("1mbit", burst="10kb", default=SLOW)
            service = ("127.0.0.1", echod.ports["udp"])
            log = echod.log
            with network.call(Asker) as asker, ThreadPoolExecutor(1) as background:
                asker.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, FAST)

                def send_batch(begin: int) -> int:
                    for datagram in data[begin : begin + 20]:
                        asker.sendto(datagram, service)
                    return begin + 20

                def send() -> int:
                    count = 0
                    while has_read(echod):
                        assert count + 20 < len(data), "echod reads on"
                        count = send_batch(count)
                    return send_batch(count)

                sending = background.submit(send)
                answers: list[bytes] = []
                while not sending.done() or len(answers) < sending.result():
                    answers.append(asker.recv(2000))
            assert data[: len(answers)] == answers
            assert log == echod.log


def has_read(echod: Daemon) -> bool:
    """Whether echod takes all datagrams that have come, within a while."""
    end_s = time.monotonic() + 0.2
    while unread_bytes(echod) and time.monotonic() < end_s:
        time.sleep(0.001)
    return not unread_bytes(echod)


def unread_bytes(echod: Daemon) -> int:
    """How much waits in the receive buffer of echod's UDP port."""
    # proc(5): "sl local_address rem_address st tx_queue:rx_queue ...", hexadecimal.
    table = Path(f"/proc/{echod.process.pid}/net/udp").read_text()
    port = f":{echod.ports['udp']:04X}"
    (row,) = (it for it in map(str.split, table.splitlines()) if it[1].endswith(port))
    return int(row[4].partition(":")[2], 16)


class TestFailedCall:
    @pytest.mark.peer("strace")
    @pytest.mark.parametrize("call", ["recvmsg", "sendmsg"])
    @pytest.mark.parametrize("error", PASSING_ERRORS)
    def test_port_stays_open(
        self, tmp_path: Path, transport: str, call: str, error: str
    ) -> None:
        """After a receive or send that failed, the port answers within a second."""
        if transport == "fast":
            call = call.replace("msg", "mmsg")
        with Daemon(tmp_path) as daemon, Asker() as asker:
            service = ("127.0.0.1", daemon.ports["udp"])
            asker.settimeout(0.1)

            def answer() -> bytes:
                # A datagram may be the one that pays for the error.
                with suppress(TimeoutError):
                    return asker.ask(service)[0]
                return b""

            with Injection(tmp_path, daemon.process.pid, call, error) as injection:
                waited_s = seconds_until(lambda: answer() and injection.failed_calls)
                assert b"ping" == answer()
            assert b"ping" == answer_on(daemon.ports["tcp"])
        assert waited_s < 1
        assert "Traceback" not in daemon.log
