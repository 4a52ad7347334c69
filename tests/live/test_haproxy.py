"""Behind a real balancer: haproxy."""

import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorFDSet
from twisted.internet.threads import deferToThread

from echod import EchoFactory
from echod.policy.networks import networks
from echod.transport.nested import NestedReactor
from echod.transport.opening import Opening
from echod.transport.proxied import ProxiedFactory
from echod.transport.tls.factory import TlsFactory
from echod.wire.proxy import stream
from echod.wire.proxy.header import Header

from ..contract import payload
from ..support.certificate import certificate_pem
from ..support.connection import half_closed_answer_on, receive
from ..support.daemon import PATIENCE_S
from ..support.ends import turn

pytestmark = pytest.mark.peer("haproxy")

HALF_CLOSES = 50

_TLVS = "crc32c,unique-id,authority,ssl,cert-cn,ssl-cipher,cert-sig,cert-key"

#: What haproxy is told of the server, by what it sends.
SENDS = {
    "1": "send-proxy",
    "2": "send-proxy-v2",
    "2-ssl": "send-proxy-v2-ssl",
    "2-ssl-cn": "send-proxy-v2-ssl-cn",
    "2-tlvs": f"send-proxy-v2 proxy-v2-options {_TLVS}",
}

_CHECKS = "check check-send-proxy inter 20ms"


class Noting(EchoFactory):
    """An echo factory that notes for whom it makes protocols."""

    def __init__(self) -> None:
        super().__init__(log_connections=False)
        self.peers: list[IAddress | None] = []

    def buildProtocol(self, addr: IAddress | None) -> Any:
        self.peers.append(addr)
        return super().buildProtocol(addr)


class Service:
    """
    An echo service for balancers on 127.0.0.1.

    Attributes:
        inner: makes what is for the real peer.
        factory: makes what is for the balancer.
        port: its number.
    """

    def __init__(self, *, is_fast: bool) -> None:
        self.inner = Noting()
        self.opening = Opening()
        near = networks("127.0.0.0/8")
        self.factory = ProxiedFactory(self.inner, near, self.opening)
        self._reactor: Any = reactor
        if is_fast:
            self._reactor = NestedReactor(IReactorFDSet(reactor))

    async def open(self) -> None:
        server = serverFromString(self._reactor, "tcp:0:interface=127.0.0.1")
        self._listening: IListeningPort = await server.listen(self.factory)
        self.port = cast("IPv4Address", self._listening.getHost()).port

    async def close(self) -> None:
        await maybeDeferred(self._listening.stopListening)
        await self.inner.when_idle()


@pytest_twisted.async_yield_fixture(params=[False, True], ids=["stock", "fast"])
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    made = Service(is_fast=bool(request.param))
    await made.open()
    yield made
    await made.close()


@contextmanager
def haproxy(
    folder: Path,
    service: Service,
    server: str,
    *,
    host: str = "127.0.0.1",
    bind: str = "",
) -> Iterator[int]:
    """
    A haproxy in front of ``service``.

    Args:
        folder: where its configuration goes.
        service: runs already.
        server: what more is said of the service.
        host: where clients come in.
        bind: what more is said of that.

    Returns:
        The port for clients.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    config = folder / "haproxy.cfg"
    with ExitStack() as stack:
        # No port is named: the socket is there before, and is handed down.
        front = stack.enter_context(socket.create_server((host, 0), family=family))
        config.write_text(
            f"""
defaults
    mode tcp
    unique-id-format %{{+X}}o%ci:%cp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen echo
    bind fd@{front.fileno()} {bind}
    server echo 127.0.0.1:{service.port} {server}
"""
        )
        process = subprocess.Popen(
            ["haproxy", "-db", "-q", "-f", str(config)],
            pass_fds=[front.fileno()],
            stdin=subprocess.DEVNULL,
            stderr=stack.enter_context((folder / "haproxy.log").open("wb")),
        )
        stack.callback(process.wait, PATIENCE_S)
        stack.callback(process.terminate)
        port: int = front.getsockname()[1]
        yield port


@pytest.fixture
def headers(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The headers that are right, as they were sent."""
    seen: list[bytes] = []

    def parse(data: bytes) -> Header | None:
        header = stream.parse(data)
        if header is not None:
            seen.append(data[: header.size_bytes])
        return header

    monkeypatch.setattr("echod.transport.proxied.parse", parse)
    return seen


def tlvs(header: bytes) -> set[int]:
    """The kinds of what more there is in a header of version 2 over IPv4."""
    kinds = set()
    at = 16 + 12
    while at < len(header):
        kinds.add(header[at])
        at += 3 + int.from_bytes(header[at + 1 : at + 3])
    return kinds


def said_by_socat(options: str, port: int) -> bytes:
    """What comes back for ``printf hello | socat``, which half-closes."""
    command = ["socat", "-t5", "-", f"{options.format(port)}"]
    done = subprocess.run(
        command, input=b"hello", capture_output=True, check=False, timeout=PATIENCE_S
    )
    return done.stdout


@pytest.mark.deadline(120)
@pytest.mark.peer("socat")
@pytest.mark.parametrize("sends", SENDS)
async def test_half_closes(tmp_path: Path, service: Service, sends: str) -> None:
    """50 of 50 half-closes come back whole, whatever header haproxy sends."""
    with haproxy(tmp_path, service, SENDS[sends]) as port:
        said = [
            await deferToThread(said_by_socat, "TCP:127.0.0.1:{}", port)
            for _ in range(HALF_CLOSES)
        ]
    assert [b"hello"] * HALF_CLOSES == said
    counters = service.factory.counters
    assert (HALF_CLOSES, 0, {}) == (counters.headers, counters.local, counters.refused)


@pytest.mark.deadline(120)
@pytest.mark.peer("socat")
async def test_half_closes_of_tls(
    tmp_path: Path, service: Service, headers: list[bytes]
) -> None:
    """The same with clients of haproxy's TLS, of which the header has much to say."""
    pem = tmp_path / "tls.pem"
    pem.write_bytes(certificate_pem())
    bind = f"ssl crt {pem}"
    with haproxy(tmp_path, service, SENDS["2-tlvs"], bind=bind) as port:
        options = "OPENSSL:localhost:{},pf=ip4,verify=0"
        said = [
            await deferToThread(said_by_socat, options, port)
            for _ in range(HALF_CLOSES)
        ]
    assert [b"hello"] * HALF_CLOSES == said
    assert HALF_CLOSES == service.factory.counters.headers
    # A checksum, a name for the connection, and what there is to say of TLS.
    assert all({0x03, 0x05, 0x20} <= tlvs(header) for header in headers)
    assert HALF_CLOSES == len(headers)


@pytest.mark.deadline(120)
@pytest.mark.peer("socat")
@pytest.mark.parametrize("sends", ["1", "2"])
async def test_half_closes_over_tls_behind_the_header(
    tmp_path: Path, service: Service, sends: str
) -> None:
    """The same where haproxy speaks TLS to the server, from behind the header on."""
    pem = tmp_path / "tls.pem"
    pem.write_bytes(certificate_pem())
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate_file(str(pem))
    context.use_privatekey_file(str(pem))

    def accepting() -> SSL.Connection:
        made = SSL.Connection(context)
        made.set_accept_state()
        return made

    service.factory.inner = TlsFactory(service.inner, accepting, service.opening)
    server = f"{SENDS[sends]} ssl verify none"
    with haproxy(tmp_path, service, server) as port:
        said = [
            await deferToThread(said_by_socat, "TCP:127.0.0.1:{}", port)
            for _ in range(HALF_CLOSES)
        ]
    assert [b"hello"] * HALF_CLOSES == said
    assert HALF_CLOSES == service.factory.counters.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("sends", SENDS)
async def test_real_client(
    tmp_path: Path, service: Service, sends: str, host: str
) -> None:
    """The protocol is made for the client's own address and port."""
    kind = IPv6Address if ":" in host else IPv4Address

    def ask(port: int) -> tuple[str, int, bytes]:
        with socket.create_connection((host, port), PATIENCE_S) as client:
            client.sendall(b"ping")
            return *client.getsockname()[:2], receive(client, 4)

    with haproxy(tmp_path, service, SENDS[sends], host=host) as port:
        for _ in range(3):
            own_host, own_port, answer = await deferToThread(ask, port)
            assert b"ping" == answer
            assert kind("TCP", own_host, own_port) == service.inner.peers[-1]


@pytest.mark.parametrize("sends", ["1", "2"])
async def test_large(tmp_path: Path, service: Service, sends: str) -> None:
    """A megabyte in one go comes back whole behind the header."""
    sent = payload(100_000)
    with haproxy(tmp_path, service, SENDS[sends]) as port:
        assert sent == await deferToThread(half_closed_answer_on, port, sent)


@pytest.mark.parametrize("sends", ["1", "2", "2-tlvs"])
async def test_health_checks(
    tmp_path: Path, service: Service, sends: str, lines: list[str]
) -> None:
    """What haproxy sends with its health checks is a right header."""
    before = len(lines)
    counters = service.factory.counters
    with haproxy(tmp_path, service, f"{SENDS[sends]} {_CHECKS}") as port:
        while counters.headers < 3:
            await turn()
        answer = await deferToThread(half_closed_answer_on, port, b"hello")
    assert b"hello" == answer
    # Version 1 has no word for a connection of the balancer's own; it says which it is.
    assert counters.local == (0 if sends == "1" else counters.headers - 1)
    assert {} == counters.refused
    assert before == len(lines)
