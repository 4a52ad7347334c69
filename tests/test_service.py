import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self, cast

import pytest
import pytest_twisted
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import (
    HostnameEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.internet.interfaces import IReactorTime
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent

import echod.service.service
import echod.transport.endpoint
from echod import EchodError, EchoService, Settings, make_service
from echod.errors import (
    EX_CONFIG,
    EX_OSERR,
    EX_UNAVAILABLE,
    CannotListen,
)
from echod.service.refusals import RefusalLog
from echod.service.service import STOP_GRACE_S
from echod.transport.sockets.inherited import InheritedSockets

from .contract import payload
from .support.certificate import certificate_pem
from .support.ends import ClientProtocol, turn

Start = Callable[..., EchoService]


@pytest_twisted.async_yield_fixture
async def start() -> AsyncIterator[Start]:
    """Makes and starts services, and stops them in the end."""
    started: list[EchoService] = []

    def run(**settings: Any) -> EchoService:
        service = make_service(Settings(**settings), reactor)
        started.append(service)
        service.startService()
        return service

    yield run
    for service in started:
        if service.running:
            await service.stopService()


async def connect(service: EchoService) -> ClientProtocol:
    address = cast("IPv4Address", service.addresses[0])
    endpoint = HostnameEndpoint(reactor, address.host, address.port)
    client: ClientProtocol = await connectProtocol(endpoint, ClientProtocol())
    return client


async def udp_echo(address: Any, sent: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((address.host, address.port))
        client.send(sent)
        await turn()
        return client.recv(65_536)


def is_free(port: int) -> bool:
    """Whether nobody listens on this TCP port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def test_serves_both_protocols(start: Start) -> None:
    """One service echoes over TCP and UDP, and says where."""
    service = start(port=0)
    assert ["TCP", "UDP"] == [it.type for it in cast("Any", service.addresses)]
    client = await connect(service)
    await client.send(b"stream")
    assert b"stream" == await client.read(6)
    assert b"datagram" == await udp_echo(service.addresses[1], b"datagram")
    await client.abort()


async def test_two_services_in_one_process(start: Start) -> None:
    """Two services share nothing."""
    first, second = start(port=0), start(port=0)
    client = await connect(first)
    await client.send(b"x")
    await client.read(1)
    assert (1, 0) == (first.streams[0].counters.made, second.streams[0].counters.made)
    await client.abort()


async def test_empty_host_is_every_address(start: Start) -> None:
    """One listener without a host serves both families, on one port each."""
    service = start(listen=["tcp:0", "udp:0"])
    tcp, tcp6, udp, udp6 = cast("Any", service.addresses)
    assert (tcp.port, udp.port) == (tcp6.port, udp6.port)
    assert ["0.0.0.0", "::"] * 2 == [it.host for it in (tcp, tcp6, udp, udp6)]
    for address, host in ((udp, "127.0.0.1"), (udp6, "::1")):
        assert b"x" == await udp_echo(type(address)("UDP", host, udp.port), b"x")
    assert 1 == len(service.streams)


async def test_listener_may_be_there_twice(start: Start) -> None:
    """Two listeners that say the same are two: each has a port of its own."""
    twice = ["tcp:0:interface=127.0.0.1", "udp:0:interface=127.0.0.1"] * 2
    service = start(listen=twice)
    assert 4 == len({(it.type, it.port) for it in cast("Any", service.addresses)})
    assert 4 == len(service.resolved())
    endpoints = start(listen=["tcp6:0"] * 2)
    assert 2 == len({it.port for it in cast("Any", endpoints.addresses)})


async def test_families_share_a_port(start: Start) -> None:
    """Every address of each family can be listened on by its own name."""
    first = start(listen=["tcp:0:interface=0.0.0.0", "udp:0:interface=0.0.0.0"])
    tcp, udp = (it.port for it in cast("Any", first.addresses))
    second = start(listen=[rf"tcp:{tcp}:interface=\:\:", rf"udp:{udp}:interface=\:\:"])
    address = cast("Any", second.addresses[1])
    assert b"6" == await udp_echo(type(address)("UDP", "::1", udp), b"6")


async def test_name_means_its_first_ipv4_address(start: Start) -> None:
    """The name localhost is 127.0.0.1, for both protocols."""
    service = start(host="localhost", port=0)
    assert {"127.0.0.1"} == {it.host for it in cast("Any", service.addresses)}


async def test_ports_of_one_service_do_not_answer_each_other(start: Start) -> None:
    """A datagram that seems to come from the service's other port is refused."""
    service = start(listen=["udp:0:interface=127.0.0.1", "udp:0:interface=127.0.0.2"])
    first, second = cast("Any", service.addresses)
    for protocol, _ in service.datagrams:
        protocol.datagramReceived(b"x", ("127.0.0.9", first.port))
        protocol.datagramReceived(b"x", ("127.0.0.9", second.port))
        assert (2, 0) == (
            protocol.counters.refused.total(),
            protocol.counters.answered,
        )


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_all_or_nothing(kind: socket.SocketKind) -> None:
    """Where one listener cannot be had, the others are given back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        name = "tcp" if kind == socket.SOCK_STREAM else "udp"
        wanted = f"{name}:{taken.getsockname()[1]}:interface=127.0.0.1"
        listen = [f"tcp:{free}:interface=127.0.0.1", wanted]
        service = make_service(Settings(listen=listen), reactor)
        with pytest.raises(CannotListen) as caught:
            service.startService()
    assert (
        f"cannot listen on {wanted}: address already in use; "
        "want a port that nothing else listens on"
    ) == str(caught.value)
    assert EX_UNAVAILABLE == caught.value.exit_code
    assert [] == service.ports
    assert not service.running
    assert is_free(free)


async def test_endpoint_in_use_gives_the_others_back(
    start: Start, tmp_path: Path
) -> None:
    """A Twisted endpoint that cannot be opened is told like any other listener."""
    path = tmp_path / "no" / "such" / "folder"
    with pytest.raises(CannotListen, match=r"unix:.*: no such file or directory; want"):
        start(listen=[f"unix:{path}", "tcp:0"])
    other = tmp_path / "echo.sock"
    with pytest.raises(CannotListen):
        start(listen=[f"unix:{other}", f"unix:{path}"])
    await turn()
    assert not other.exists()


async def test_endpoint_s_port_in_use_is_told_alike(start: Start) -> None:
    """The system's reason is told, not Twisted's name for the failure."""
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::1", 0))
        text = rf"tcp6:{taken.getsockname()[1]}:interface=\:\:1"
        with pytest.raises(CannotListen) as caught:
            start(listen=[text])
    assert f"{text}: address already in use; want a port" in str(caught.value)
    assert EX_UNAVAILABLE == caught.value.exit_code


async def test_unix_endpoint_echoes(start: Start, tmp_path: Path) -> None:
    """Any stream endpoint of Twisted's serves the same echo."""
    path = tmp_path / "echo.sock"
    start(listen=[f"unix:{path}"])
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(b"unix")
        client.shutdown(socket.SHUT_WR)
        await turn()
        await turn()
        assert (b"unix", b"") == (client.recv(100), client.recv(100))


@pytest.mark.parametrize(
    "text", ["nosuch:1", "ssl:1:privateKey=/no/such/file", "tls:/no/such/folder:1"]
)
def test_meaningless_endpoint_is_refused_early(text: str) -> None:
    """A description that cannot be served is refused before anything is opened."""
    with pytest.raises(EchodError) as caught:
        make_service(Settings(listen=[text]), reactor)
    assert EX_CONFIG == caught.value.exit_code
    assert str(caught.value).startswith(f"listen {text}: ")


class SlowEndpoint:
    """An endpoint that opens when it is told to."""

    def __init__(self) -> None:
        self.listening: Deferred[Any] = Deferred()

    def listen(self, _: object) -> Deferred[Any]:
        return self.listening


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowEndpoint:
    """What every other description means in this test."""
    endpoint = SlowEndpoint()
    monkeypatch.setattr(
        echod.transport.endpoint, "serverFromString", lambda *_: endpoint
    )
    return endpoint


class SlowPort:
    def __init__(self) -> None:
        self.is_stopped = False

    def stopListening(self) -> Deferred[None]:
        self.is_stopped = True
        return succeed(None)


async def test_slow_endpoint_is_opened_later(start: Start, slow: SlowEndpoint) -> None:
    """An endpoint that takes its time joins the ports when it is there."""
    service = start(listen=["slow:"])
    assert [] == service.ports
    port: Any = SlowPort()
    slow.listening.callback(port)
    assert [port] == service.ports
    await service.stopService()
    assert port.is_stopped


async def test_slow_endpoint_that_fails_is_logged(
    start: Start, slow: SlowEndpoint, errors: list[LogEvent]
) -> None:
    """An endpoint that fails later is one critical line, and the rest goes on."""
    service = start(listen=["slow:", "udp:0:interface=127.0.0.1"])
    slow.listening.errback(OSError(13, "Permission denied"))
    (event,) = errors
    assert "cannot listen on slow:: permission denied; want" in str(event["error"])
    errors.clear()
    assert b"x" == await udp_echo(service.addresses[0], b"x")


async def test_slow_endpoint_is_called_off(start: Start, slow: SlowEndpoint) -> None:
    """A service that stops does not wait for an endpoint to open."""
    service = start(listen=["slow:"])
    await service.stopService()
    assert slow.listening.called
    assert [] == service.ports


def test_endpoint_that_fails_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even an error without text is told in one line, as the system's fault."""
    endpoint = SlowEndpoint()
    endpoint.listening = fail(RuntimeError())
    monkeypatch.setattr(
        echod.transport.endpoint, "serverFromString", lambda *_: endpoint
    )
    with pytest.raises(CannotListen, match="slow:: runtimeerror; want") as caught:
        make_service(Settings(listen=["slow:"]), reactor).startService()
    assert EX_OSERR == caught.value.exit_code


async def test_privileged_start_binds_once() -> None:
    """What twistd wants: binding rights are given away, and starting afterwards."""
    service = make_service(Settings(port=0), reactor)
    service.privilegedStartService()
    before = service.addresses
    service.startService()
    assert before == service.addresses
    await service.stopService()


async def test_service_can_start_again(start: Start) -> None:
    """A stopped service has no ports, and can be started anew."""
    service = start(port=0)
    await service.stopService()
    assert [] == service.ports
    service.startService()
    assert 2 == len(service.ports)


async def test_runs_under_a_parent() -> None:
    """The service may join a tree that runs already."""
    parent = MultiService()
    parent.startService()
    service = make_service(Settings(port=0), reactor)
    service.setServiceParent(parent)
    assert 2 == len(service.ports)
    await parent.stopService()
    assert [] == service.ports


async def test_stop_gives_what_is_owed(start: Start) -> None:
    """A client that reads gets the whole answer, and a clean end."""
    service = start(port=0)
    sent = payload(3_000_000)
    client = await connect(service)
    await client.send(sent)
    while service.streams[0].connections and client.answered() < len(sent):
        await turn()
    await service.stopService()
    assert sent == await client.read(len(sent) + 1)


@pytest.mark.deadline(10)
async def test_stop_does_not_wait_for_ever(start: Start) -> None:
    """A client that does not read is given up after the grace period."""
    service = start(port=0)
    client = await connect(service)
    await client.stop_reading()
    client.transport.write(payload(1000) * 64_000)
    await deferLater(cast("IReactorTime", reactor), 0.2)
    before_s = IReactorTime(reactor).seconds()
    await service.stopService()
    assert STOP_GRACE_S <= IReactorTime(reactor).seconds() - before_s + 0.01
    assert {} == service.streams[0].connections
    await client.read(100_000_000)


async def test_totals_tell_what_failed(start: Start, lines: list[str]) -> None:
    """An answer that the system would not send is no answer in the log."""
    service = start(listen=["udp:0:interface=127.0.0.1"])
    await udp_echo(service.addresses[0], b"x")
    ((protocol, _),) = service.datagrams
    protocol.datagramReceived(bytes(65_508), ("127.0.0.1", 50_000))  # EMSGSIZE
    protocol.datagramReceived(b"x", ("127.0.0.1", 7))
    await service.stopService()
    assert (
        "Stopped after 0 connections with 0 bytes; "
        "datagrams: 1 answered, 1 refused, 1 failed"
    ) == lines[-1]


async def test_stop_leaves_nothing_open(start: Start) -> None:
    """After the stop, nobody listens and idle connections are closed."""
    service = start(port=0)
    port = cast("IPv4Address", service.addresses[0]).port
    client = await connect(service)
    await service.stopService()
    assert b"" == await client.read(1)
    assert is_free(port)


def test_clock_is_only_used_when_stopping() -> None:
    """Making a service needs nothing of the reactor."""
    assert [] == make_service(Settings(), cast("Any", Clock())).ports


@pytest.mark.parametrize("transport", ["fast", "stock"])
async def test_transport_in_use_is_logged(
    start: Start, lines: list[str], transport: str
) -> None:
    """The line that tells of a listener tells how its bytes get in and out."""
    service = start(port=0, transport=transport)
    found = [it for it in lines if it.startswith("Listening on")]
    assert 2 == len(found)
    assert all(it.endswith(f", {transport} transport") for it in found)
    client = await connect(service)
    await client.send(b"stream")
    assert b"stream" == await client.read(6)
    assert b"datagram" == await udp_echo(service.addresses[1], b"datagram")
    await client.abort()


async def test_stop_of_what_never_started() -> None:
    """A service that was not started, or could not be, may be stopped."""
    await make_service(Settings(port=0), reactor).stopService()
    service = make_service(Settings(port=0), reactor)
    service.privilegedStartService()
    await service.stopService()
    assert [] == service.ports


TIMEOUT_S = 10.0

#: More than the systems of both ends keep for a client that does not read.
PUSHED_BYTES = 16_000_000


class Watched:
    """
    A service over which the test's clock passes, and a client of it.

    Attributes:
        client: a plain socket that never blocks, with a small buffer for what comes.
    """

    def __init__(self, service: EchoService) -> None:
        self.service = service
        self._clock = Clock()
        service.streams[0]._now_s = self._clock.seconds
        address = cast("IPv4Address", service.addresses[0])
        self.client = socket.socket()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self.client.connect((address.host, address.port))
        self.client.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    async def connected(self) -> None:
        while not self.service.streams[0].connections:
            await turn()

    async def pass_by(self, seconds: float) -> None:
        """A look a second, and time enough between for what it leads to."""
        for _ in range(round(seconds)):
            self.service.streams[0].end_idle()
            self._clock.advance(1)
            await turn()
            await turn()

    async def fill(self) -> int:
        """Send until nobody takes any more; how much was taken."""
        sent = 0
        for _ in range(100):
            await turn()
            while sent < PUSHED_BYTES:
                try:
                    sent += self.client.send(payload(100_000)[sent % 100_000 :])
                except BlockingIOError:
                    break
        assert sent < PUSHED_BYTES
        return sent

    async def take(self, size: int) -> bytes:
        """The next ``size`` bytes, or fewer where the end comes first."""
        taken = bytearray()
        while len(taken) < size:
            try:
                piece = self.client.recv(min(size - len(taken), 65_536))
            except BlockingIOError:
                await turn()
                continue
            if not piece:
                break
            taken += piece
        return bytes(taken)

    @property
    def timed_out(self) -> int:
        return self.service.streams[0].counters.timed_out


@pytest_twisted.async_yield_fixture(params=["fast", "stock"])
async def watched(
    start: Start, request: pytest.FixtureRequest
) -> AsyncIterator[Watched]:
    """One on each transport."""
    service = start(port=0, idle_timeout=TIMEOUT_S, transport=request.param)
    with Watched(service) as made:
        await made.connected()
        yield made


async def test_silent_client_is_closed(watched: Watched, lines: list[str]) -> None:
    """A client that says nothing gets a clean end after the time-out."""
    await watched.pass_by(TIMEOUT_S)
    assert 0 == watched.timed_out
    await watched.pass_by(1)
    assert b"" == await watched.take(1)
    assert 1 == watched.timed_out
    assert " timed out after 0 bytes" in lines[-1]


async def test_talking_client_is_not_closed(watched: Watched) -> None:
    """A client that says something within each time-out stays."""
    for _ in range(5):
        await watched.pass_by(TIMEOUT_S - 1)
        watched.client.send(b"x")
        assert b"x" == await watched.take(1)
    assert 0 == watched.timed_out


async def test_client_that_never_reads_is_reset(
    watched: Watched, lines: list[str]
) -> None:
    """A client that leaves what it is owed is cut off after two time-outs."""
    await watched.fill()
    await watched.pass_by(2 * TIMEOUT_S)
    assert 0 == watched.timed_out
    await watched.pass_by(TIMEOUT_S)
    assert 1 == watched.timed_out
    assert " timed out after " in lines[-1]
    with pytest.raises(ConnectionResetError):
        await watched.take(PUSHED_BYTES)


async def test_slow_reader_is_not_cut_off(watched: Watched) -> None:
    """A client that takes some of what it is owed gets all of it in the end."""
    sent = await watched.fill()
    answer = b""
    for _ in range(6):
        answer += await watched.take(300_000)
        await watched.pass_by(TIMEOUT_S)
    assert 0 == watched.timed_out
    watched.client.shutdown(socket.SHUT_WR)
    answer += await watched.take(sent + 1)
    expected = payload(100_000) * (sent // 100_000) + payload(100_000)[: sent % 100_000]
    assert expected == answer


@pytest.mark.parametrize("transport", ["fast", "stock"])
async def test_no_timeout_is_none(start: Start, transport: str) -> None:
    """Without a time-out a silent client stays for ever."""
    service = start(port=0, idle_timeout=0, transport=transport)
    with Watched(service) as watched:
        await watched.connected()
        watched._clock.advance(1e9)
        await watched.pass_by(3)
        assert (0, 1) == (watched.timed_out, len(service.streams[0].connections))


async def test_sweep_is_the_service_s_own(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running service looks by itself, again after it was stopped and started."""
    monkeypatch.setattr(echod.service.service, "SWEEP_S", 0.01)
    service = start(port=0, idle_timeout=0.05)
    for expected in (1, 2):
        begin_s = time.monotonic()
        client = await connect(service)
        assert b"" == await client.read(1)
        assert time.monotonic() - begin_s >= 0.05
        assert expected == service.streams[0].counters.timed_out
        await service.stopService()
        service.startService()


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
@pytest.mark.parametrize("transport", ["fast", "stock"])
async def test_stuck_tls_client_is_cut_off(
    start: Start, tmp_path: Path, transport: str
) -> None:
    """Nothing is known of what a TLS client is owed; it is cut off all the same."""
    pem = tmp_path / "echod.pem"
    pem.write_bytes(certificate_pem())
    listen = f"ssl:0:interface=127.0.0.1:privateKey={pem}"
    service = start(listen=[listen], idle_timeout=TIMEOUT_S, transport=transport)
    trusting = optionsForClientTLS(
        "localhost", trustRoot=Certificate.loadPEM(pem.read_bytes())
    )
    address = cast("IPv4Address", service.addresses[0])
    plain = HostnameEndpoint(reactor, address.host, address.port)
    client = ClientProtocol()
    await connectProtocol(wrapClientTLS(trusting, plain), client)
    await client.send(b"x")
    assert b"x" == await client.read(1)
    await client.stop_reading()
    client.transport.write(bytes(PUSHED_BYTES))
    (connection,) = service.streams[0].connections
    received = -1
    while received != (received := connection.received_bytes):
        await deferLater(cast("IReactorTime", reactor), 0.1)
    clock = Clock()
    service.streams[0]._now_s = clock.seconds
    for _ in range(4):
        service.streams[0].end_idle()
        clock.advance(TIMEOUT_S)
        await turn()
    assert (1, {}) == (
        service.streams[0].counters.timed_out,
        service.streams[0].connections,
    )
    await client.ended


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
async def test_client_without_a_handshake_is_closed(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    """A client of a TLS port that never begins is not there for ever."""
    monkeypatch.setattr(echod.service.service, "SWEEP_S", 0.01)
    pem = tmp_path / "echod.pem"
    pem.write_bytes(certificate_pem())
    listen = f"ssl:0:interface=127.0.0.1:privateKey={pem}"
    service = start(listen=[listen], handshake_timeout=0.1)
    (tls,) = service.places[0].stages.tls
    address = cast("IPv4Address", service.addresses[0])
    with socket.create_connection((address.host, address.port)) as client:
        client.settimeout(5)
        while not tls.counters.failed:
            await turn()
        # It is broken, not ended: there is nothing to say to who says nothing.
        with pytest.raises(ConnectionResetError):
            await deferToThread(client.recv, 1)
    assert {"late": 1} == tls.counters.failed
    await service.stopService()
    line = "Refused 1 connections before they were open: TLS late 1"
    assert 1 == lines.count(line)
    assert 0 == service.streams[0].counters.made


async def test_look_that_fails_is_not_the_last(
    start: Start, monkeypatch: pytest.MonkeyPatch, errors: list[LogEvent]
) -> None:
    """What a look for idle connections raises is logged, and the next one comes."""
    monkeypatch.setattr(echod.service.service, "SWEEP_S", 0.01)
    service = start(port=0)
    looks: list[float] = []

    class Failing:
        def idle(self, _: object, now_s: float) -> None:
            looks.append(now_s)
            raise ZeroDivisionError

    service.streams[0]._idle_sweep = cast("Any", Failing())
    deadline_s = time.monotonic() + 2
    while len(looks) < 3 and time.monotonic() < deadline_s:
        await turn()
    await service.stopService()
    assert errors
    assert all(it["log_failure"].check(ZeroDivisionError) for it in errors)
    errors.clear()
    assert 3 <= len(looks)


async def test_refusals_are_told_now_and_then() -> None:
    """A flood of refused connections writes a line, then one each half minute."""
    settings = Settings(
        listen="tcp:0:interface=127.0.0.1", proxy_protocol=True, log_connections=False
    )
    stages = make_service(settings, reactor).places[0].stages
    told: list[str] = []
    log = RefusalLog([stages])
    log._log = cast("Any", Told(told))
    log.say(0.0)
    counters = stages.proxied[0].counters
    for now_s in (100.0, 101.0, 129.0, 130.0, 131.0):
        counters.refused["untrusted"] += 2
        counters.refused["late"] += 1
        log.say(now_s)
    log.say_rest(132.0)
    log.say_rest(133.0)
    assert ["late 1, PROXY untrusted 2", "late 3, PROXY untrusted 6"] == [
        it.removeprefix("PROXY ") for it in told[:2]
    ]
    assert ["PROXY late 1, PROXY untrusted 2"] == told[2:]


class Told:
    """A log that keeps the reasons."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    def warn(self, _: str, *, connections: int, reasons: str) -> None:
        assert connections
        self._told.append(reasons)


def test_inherited_listeners_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was inherited is told where it is; what is not there yet, by that."""
    service = make_service(Settings(listen="systemd:name=a"), reactor)
    assert ["systemd:name=a is what will be inherited"] == service.resolved()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found = InheritedSockets([listening.fileno()], ["a"])
        monkeypatch.setattr(InheritedSockets, "of_process", lambda: found)
        service = make_service(Settings(listen="systemd:name=a"), reactor)
        port = listening.getsockname()[1]
        at = f"tcp:{port}:interface=127.0.0.1"
        assert [f"systemd:name=a is {at}"] == service.resolved()
        twice = Settings(listen=["systemd:name=a", "systemd:index=0"])
        with pytest.raises(CannotListen, match="want each socket in one listener"):
            make_service(twice, reactor).resolved()


def test_listeners_share_a_certificate(tmp_path: Path) -> None:
    """Two listeners with one certificate have it loaded once, and say so alike."""
    pem = tmp_path / "echod.pem"
    pem.write_bytes(certificate_pem())
    listen = [f"ssl:{port}:privateKey={pem}:interface=127.0.0.1" for port in (1, 2)]
    service = make_service(Settings(listen=listen), reactor)
    first, second = (it.partition("; ")[2] for it in service.resolved())
    assert first == second != ""
    assert 1 == len(service.places[0].stages._contexts)
