import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogEvent

import echod.transport.endpoint
from echod import EchodError, EchoService, Settings, make_service
from echod.errors import (
    EX_CONFIG,
    EX_OSERR,
    EX_UNAVAILABLE,
    CannotListen,
)
from echod.service import STOP_GRACE_S

from .contract import payload
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
    assert (1, 0) == (first.streams.counters.made, second.streams.counters.made)
    await client.abort()


async def test_families_share_a_port(start: Start) -> None:
    """Every address of both families can be listened on at one port."""
    first = start(listen=["tcp:0", "udp:0"])
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
    "text", ["nosuch:1", "ssl:1:privateKey=/no/such/file", "systemd:x"]
)
def test_meaningless_endpoint_is_refused_early(text: str) -> None:
    """A description that Twisted refuses is refused before anything is opened."""
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
    while service.streams.connections and client.answered() < len(sent):
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
    assert {} == service.streams.connections
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
