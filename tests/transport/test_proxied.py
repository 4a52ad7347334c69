"""Connections that begin with the header of the PROXY protocol."""

import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import pytest_twisted
from OpenSSL import SSL
from twisted.internet import reactor, tcp
from twisted.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
)
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import (
    clientFromString,
    connectProtocol,
    serverFromString,
)
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IListeningPort,
    IReactorFDSet,
    IReactorUNIX,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.logger import LogEvent
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from echod import EchoFactory, EchoProtocol
from echod.policy.networks import Networks, networks
from echod.transport.eager import EagerServer
from echod.transport.nested import NestedReactor
from echod.transport.opening import Opening
from echod.transport.proxied import Proxied, ProxiedFactory
from echod.transport.tls.factory import TlsFactory
from echod.wire.proxy.header import Reason

from ..contract import StreamContract, payload
from ..fuzz.headers import (
    LOCAL,
    PROXY,
    TCP6,
    UNIX_STREAM,
    VALID,
    block,
    ends,
    line,
    names,
)
from ..support.certificate import certificate_pem
from ..support.connection import reset
from ..support.ends import ClientProtocol, turn
from ..support.side import ENDLESS, Side

LOOPBACK = networks("127.0.0.0/8,::1")

V1 = line("TCP4", "192.0.2.1", "192.0.2.2", 1111, 2222)
V2 = block(PROXY, TCP6, ends(TCP6, "2001:db8::1", "2001:db8::2", 1111, 2222))

#: A few that are no header, one for each reason that a header has.
BAD: dict[Reason, bytes] = {
    "signature": b"GET / HTTP/1.1\r\n\r\n",
    "version": V2[:12] + b"\x11",
    "command": V2[:12] + b"\x22",
    "family": b"PROXY TCP5 ",
    "address": V1.replace(b"192", b"392"),
    "length": b"PROXY UNKNOWN" + b"x" * 100,
    "tlv": V2[:15] + b"\x25" + V2[16:] + b"x",
    "checksum": V2[:15] + b"\x2b" + V2[16:] + b"\3\0\4abcd",
}


class Time:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Noting(EchoFactory):
    """
    An echo factory that notes for whom it makes protocols.

    Args:
        is_full: whether it makes none.
    """

    def __init__(self, *, is_full: bool = False) -> None:
        super().__init__(log_connections=False)
        self.peers: list[IAddress | None] = []
        self._is_full = is_full

    def buildProtocol(self, addr: IAddress | None) -> Any:
        self.peers.append(addr)
        return None if self._is_full else super().buildProtocol(addr)


def runs(*, is_fast: bool) -> Any:
    """A reactor for the server's end of a connection."""
    return NestedReactor(IReactorFDSet(reactor)) if is_fast else reactor


class Service:
    """
    An echo service behind the header, on 127.0.0.1 and on a UNIX socket.

    Attributes:
        factory: makes what is for the balancer's connection.
        inner: makes what is for the real peer.
        time: what the deadlines go by.
    """

    def __init__(
        self,
        folder: Path,
        *,
        is_fast: bool,
        trusted: Networks = LOOPBACK,
        inner: Noting | None = None,
    ) -> None:
        self.time = Time()
        self.opening = Opening(self.time)
        self.inner = inner or Noting()
        self.factory = ProxiedFactory(self.inner, trusted, self.opening)
        self._path = str(folder / "echo.sock")
        self._reactor = runs(is_fast=is_fast)
        self._ports: list[IListeningPort] = []

    async def open(self) -> None:
        for described in ("tcp:0:interface=127.0.0.1", f"unix:{self._path}"):
            server = serverFromString(self._reactor, described)
            self._ports.append(await server.listen(self.factory))

    async def close(self) -> None:
        for port in self._ports:
            await maybeDeferred(port.stopListening)

    @property
    def port(self) -> int:
        """The number of the TCP port."""
        return cast("IPv4Address", self._ports[0].getHost()).port

    def connect(self, *, over_unix: bool = False) -> socket.socket:
        """A client's end, which does not block."""
        if over_unix:
            client = socket.socket(socket.AF_UNIX)
            client.connect(self._path)
        else:
            client = socket.create_connection(("127.0.0.1", self.port))
        client.setblocking(False)
        return client

    async def until_refused(self, reason: str, count: int = 1) -> None:
        """Return when so many connections have been refused for it."""
        while self.factory.counters.refused[reason] < count:
            await turn()

    async def until_read(self, count: int, header_bytes: int) -> None:
        """Return when so many bytes of the one connection have been read."""
        if count < header_bytes:
            await self.until_opening(1)
            (waiting,) = cast("list[Proxied]", [*self.opening._deadlines])
            while len(waiting._received) != count:
                await turn()
            return
        while not self.inner.connections:
            await turn()
        (connection,) = self.inner.connections
        while connection.received_bytes != count - header_bytes:
            await turn()

    async def until_opening(self, count: int) -> None:
        """Return when there are so many connections without a header yet."""
        while len(self.opening) != count:
            await turn()


async def received(client: socket.socket) -> bytes:
    """All that comes until the end; an end by RST is none of its own."""
    answer = b""
    while True:
        try:
            piece = client.recv(65_536)
        except BlockingIOError:
            await turn()
            continue
        if not piece:
            return answer
        answer += piece


async def until_broken(client: socket.socket) -> None:
    """Return when the connection has been broken, with nothing before that."""
    try:
        answer = await received(client)
    except ConnectionResetError:
        return
    # On a UNIX socket, that looks like any other end.
    assert (socket.AF_UNIX, b"") == (client.family, answer)


@pytest.fixture(params=[False, True], ids=["stock", "fast"])
def is_fast(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[False, True], ids=["tcp", "unix"])
def over_unix(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest_twisted.async_yield_fixture
async def service(tmp_path: Path, is_fast: bool) -> AsyncIterator[Service]:
    made = Service(tmp_path, is_fast=is_fast)
    await made.open()
    yield made
    await made.close()


class Introduced(ClientProtocol):
    """A client's end behind a balancer."""

    def __init__(self, header: bytes) -> None:
        super().__init__()
        self._header = header

    def connectionMade(self) -> None:
        self.transport.write(self._header)


class _BehindProxy(StreamContract):
    """The contract of echo behind the header that a subclass names."""

    HEADER = b""
    SERVER = "tcp:0:interface=127.0.0.1"
    CLIENT = "tcp:127.0.0.1:{number}"
    IS_FAST = False

    factory: EchoFactory

    @pytest_twisted.async_yield_fixture
    async def end(self, tmp_path: Path) -> AsyncIterator[ClientProtocol]:
        type(self).factory = EchoFactory(log_connections=False)
        opening = Opening()
        path = tmp_path / "echo.sock"
        server = serverFromString(
            runs(is_fast=self.IS_FAST), self.SERVER.format(path=path)
        )
        port = await server.listen(ProxiedFactory(self.factory, LOOPBACK, opening))
        number = getattr(port.getHost(), "port", None)
        client = Introduced(self.HEADER)
        described = self.CLIENT.format(path=path, number=number)
        await connectProtocol(clientFromString(reactor, described), client)
        while not self.factory.connections:
            await turn()
        yield client
        client.transport.abortConnection()
        await client.ended
        await maybeDeferred(port.stopListening)
        assert 0 == len(opening)

    def received_bytes(self) -> int:
        (connection,) = self.factory.connections
        return connection.received_bytes

    async def until_idle(self) -> None:
        await self.factory.when_idle()


class TestVersion1(_BehindProxy):
    """Version 1, on Twisted's own transports."""

    HEADER = V1


class TestFastVersion1(TestVersion1):
    """Version 1, on a nested reactor."""

    IS_FAST = True


class TestVersion2(_BehindProxy):
    """Version 2, on Twisted's own transports."""

    HEADER = V2


class TestFastVersion2(TestVersion2):
    """Version 2, on a nested reactor."""

    IS_FAST = True


class TestVersion2OverUnix(TestVersion2):
    """Version 2 over UNIX sockets."""

    SERVER = "unix:{path}"
    CLIENT = "unix:{path}"


class TestFastVersion2OverUnix(TestVersion2OverUnix):
    """The same on a nested reactor."""

    IS_FAST = True


@pytest.mark.parametrize("header", [V1, V2, VALID["v2 checksum"]], ids=["1", "2", "+"])
async def test_any_split(service: Service, header: bytes) -> None:
    """A header in two segments, split anywhere, is as good as one in a single one."""
    message = b"ping" * 5
    whole = header + message
    for cut in range(1, len(whole)):
        with service.connect() as client:
            client.sendall(whole[:cut])
            await service.until_read(cut, len(header))
            client.sendall(whole[cut:])
            client.shutdown(socket.SHUT_WR)
            assert message == await received(client)
        await service.inner.when_idle()
    assert len(whole) - 1 == service.factory.counters.headers
    assert not service.factory.counters.refused


@pytest.mark.parametrize("kind", [tcp.Server, EagerServer])
@pytest.mark.parametrize("name", VALID)
def test_byte_by_byte(kind: type[tcp.Server], name: str) -> None:
    """Every form of the header comes through in single bytes, and what follows too."""
    inner = EchoProtocol()
    side = Side(kind, proxied(inner))
    side.socket.room = ENDLESS
    for byte in VALID[name] + b"ping":
        assert b"" == side.socket.sent or side.link.protocol is inner
        side.socket.arrive(bytes([byte]))
        side.settle()
    assert b"ping" == side.socket.sent
    side.socket.end()
    side.settle()
    assert side.is_lost


@pytest.mark.parametrize("header", [V1, V2], ids=["1", "2"])
@pytest.mark.parametrize("size", [0, 1, 447, 448, 65_536, 1_000_003])
async def test_half_close_behind_the_header(
    service: Service, header: bytes, size: int, over_unix: bool
) -> None:
    """A client that sends header, bytes and end at once gets its bytes, and the end."""
    sent = payload(size)
    with service.connect(over_unix=over_unix) as client:
        rest = memoryview(header + sent)
        answer = b""
        while rest:
            try:
                rest = rest[client.send(rest) :]
            except BlockingIOError:
                await turn()
            with suppress(BlockingIOError):
                answer += client.recv(1 << 20)
        client.shutdown(socket.SHUT_WR)
        assert sent == answer + await received(client)
    await service.inner.when_idle()


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (V1, IPv4Address("TCP", "192.0.2.1", 1111)),
        (V2, IPv6Address("TCP", "2001:db8::1", 1111)),
        (VALID["v2 UDP4"], IPv4Address("TCP", "0.0.0.0", 0)),
        (VALID["TCP6, mapped"], IPv4Address("TCP", "10.1.2.3", 4)),
        (VALID["v2 UNIX"], UNIXAddress(b"/run/a.sock")),
        (VALID["v2 UNIX, abstract"], UNIXAddress(b"\0a\0b")),
        (block(PROXY, UNIX_STREAM, names(b"", b"/b")), UNIXAddress(None)),
    ],
)
async def test_real_peer(service: Service, header: bytes, peer: IAddress) -> None:
    """The protocol is made for the peer that the header names."""
    with service.connect() as client:
        client.sendall(header)
        client.shutdown(socket.SHUT_WR)
        assert b"" == await received(client)
    assert [peer] == service.inner.peers
    counters = service.factory.counters
    assert (1, 0) == (counters.headers, counters.local)
    await service.inner.when_idle()


@pytest.mark.parametrize(
    "header", [VALID["UNKNOWN"], block(LOCAL, 0), VALID["v2 unspecified"]]
)
async def test_balancer_speaks_for_itself(service: Service, header: bytes) -> None:
    """Where the header names nobody, the peer is who has connected."""
    with service.connect() as client:
        own = IPv4Address("TCP", *client.getsockname())
        client.sendall(header + b"ping")
        client.shutdown(socket.SHUT_WR)
        assert b"ping" == await received(client)
    assert [own] == service.inner.peers
    counters = service.factory.counters
    assert (1, 1) == (counters.headers, counters.local)
    await service.inner.when_idle()


def test_every_reason_is_tried() -> None:
    """There is a bad header for each reason."""
    assert set(get_args(Reason)) == set(BAD)


@pytest.mark.parametrize("reason", BAD)
async def test_bad_header(
    service: Service, reason: Reason, over_unix: bool, lines: list[str]
) -> None:
    """What is no header breaks the connection, is counted, and leaves no line."""
    before = len(lines)
    with service.connect(over_unix=over_unix) as client:
        client.sendall(BAD[reason])
        await until_broken(client)
    assert {reason: 1} == service.factory.counters.refused
    assert [] == service.inner.peers
    assert 0 == len(service.opening)
    assert before == len(lines)


async def test_untrusted(tmp_path: Path, is_fast: bool, lines: list[str]) -> None:
    """A connection from elsewhere is ended at once, whatever it says; UNIX is near."""
    elsewhere = networks("192.0.2.0/24,::1")
    service = Service(tmp_path, is_fast=is_fast, trusted=elsewhere)
    await service.open()
    before = len(lines)
    for count in (1, 2, 3):
        with service.connect() as client:
            await service.until_refused("untrusted", count)
            assert b"" == await received(client)
    with service.connect(over_unix=True) as client:
        client.sendall(V1 + b"ping")
        client.shutdown(socket.SHUT_WR)
        assert b"ping" == await received(client)
    assert {"untrusted": 3} == service.factory.counters.refused
    assert 1 == service.factory.counters.headers
    assert before == len(lines)
    await service.close()
    await service.inner.when_idle()


def test_peers_of_unknown_kind_are_not_trusted() -> None:
    """Who cannot be told where it comes from is refused."""
    factory = ProxiedFactory(EchoFactory(), networks("0.0.0.0/0,::/0"), Opening())
    assert None is factory.buildProtocol(None)
    assert None is factory.buildProtocol(HostnameAddress(b"localhost", 1))
    assert {"untrusted": 2} == factory.counters.refused
    mapped = IPv6Address("TCP", "::ffff:127.0.0.1", 1)
    scoped = IPv6Address("TCP", "fe80::1%lo", 1)
    assert isinstance(factory.buildProtocol(mapped), Proxied)
    assert isinstance(factory.buildProtocol(scoped), Proxied)


@pytest.mark.parametrize("begun", [b"", V1[:10], V2[:15]], ids=["none", "1", "2"])
async def test_late(service: Service, begun: bytes, over_unix: bool) -> None:
    """A header that is not complete after 5 s breaks the connection."""
    with service.connect(over_unix=over_unix) as client:
        client.sendall(begun)
        await service.until_opening(1)
        service.time.now_s += 4.9
        service.opening.end_late()
        assert 1 == len(service.opening)
        service.time.now_s += 0.1
        service.opening.end_late()
        await until_broken(client)
    assert {"late": 1} == service.factory.counters.refused
    assert 0 == len(service.opening)


async def test_complete_in_time(service: Service) -> None:
    """What is open is not late, however long it lasts."""
    with service.connect() as client:
        client.sendall(V1)
        while not service.inner.connections:
            await turn()
        service.time.now_s += 1_000
        service.opening.end_late()
        client.sendall(b"ping")
        client.shutdown(socket.SHUT_WR)
        assert b"ping" == await received(client)
    assert not service.factory.counters.refused
    await service.inner.when_idle()


@pytest.mark.parametrize("begun", [b"", V1[:10], V2[:-1]], ids=["none", "1", "2"])
async def test_closed(service: Service, begun: bytes, over_unix: bool) -> None:
    """An end before the header is complete ends the connection, and is counted."""
    with service.connect(over_unix=over_unix) as client:
        client.sendall(begun)
        client.shutdown(socket.SHUT_WR)
        assert b"" == await received(client)
    await service.until_refused("closed")
    await service.until_opening(0)
    assert {"closed": 1} == service.factory.counters.refused
    assert [] == service.inner.peers


async def test_reset(service: Service) -> None:
    """A connection that its peer breaks before the header is complete counts so too."""
    client = service.connect()
    client.sendall(V1[:10])
    await service.until_opening(1)
    reset(client)
    await service.until_refused("closed")
    assert {"closed": 1} == service.factory.counters.refused
    assert 0 == len(service.opening)


async def test_service_ends(service: Service) -> None:
    """When the service ends, what is not open yet is broken, and not counted."""
    with service.connect() as client:
        await service.until_opening(1)
        service.opening.abort()
        await until_broken(client)
    assert not service.factory.counters.refused


async def test_peer_is_not_let_in(
    tmp_path: Path, is_fast: bool, over_unix: bool
) -> None:
    """Where no protocol is made for the real peer, the connection is broken."""
    service = Service(tmp_path, is_fast=is_fast, inner=Noting(is_full=True))
    await service.open()
    with service.connect(over_unix=over_unix) as client:
        client.sendall(V1 + b"ping")
        await until_broken(client)
    assert [IPv4Address("TCP", "192.0.2.1", 1111)] == service.inner.peers
    counters = service.factory.counters
    assert (1, {}) == (counters.headers, counters.refused)
    await service.close()


class Failing(EchoProtocol):
    """Fails as it begins."""

    def connectionMade(self) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("where", ["buildProtocol", "connectionMade"])
async def test_failure_ends_one_connection(
    tmp_path: Path,
    is_fast: bool,
    where: str,
    errors: list[LogEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What fails as a protocol begins is logged, and ends that connection alone."""
    service = Service(tmp_path, is_fast=is_fast)
    await service.open()

    def build(_: object) -> EchoProtocol:
        if where == "buildProtocol":
            raise ZeroDivisionError
        return Failing()

    with monkeypatch.context() as patched, service.connect() as client:
        patched.setattr(service.inner, "buildProtocol", build)
        client.sendall(V1 + b"ping")
        with suppress(ConnectionResetError):
            assert b"" == await received(client)
    assert 1 == len(errors)
    errors.clear()
    with service.connect() as client:
        client.sendall(V1 + b"ping")
        client.shutdown(socket.SHUT_WR)
        assert b"ping" == await received(client)
    await service.close()
    await service.inner.when_idle()
    assert not service.factory.counters.refused


class Ending(Protocol):
    """
    Ends its connection as it begins.

    Attributes:
        events: what it hears of.
    """

    transport: Any

    def __init__(self, how: str) -> None:
        self._how = how
        self.events: list[object] = []

    def connectionMade(self) -> None:
        getattr(self.transport, self._how)()

    def dataReceived(self, data: bytes) -> None:
        self.events.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.events.append(type(reason.value).__name__)


class Making(Factory[Protocol]):
    """Makes what it was given."""

    noisy = False

    def __init__(self, made: Protocol) -> None:
        self._made = made

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return self._made


def proxied(inner: Protocol) -> Any:
    """The protocol that becomes ``inner``."""
    made = ProxiedFactory(Making(inner), LOOPBACK, Opening())
    return made.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))


@pytest.mark.parametrize("kind", [tcp.Server, EagerServer])
@pytest.mark.parametrize(
    ("how", "told"),
    [("loseConnection", "ConnectionDone"), ("abortConnection", "ConnectionAborted")],
)
def test_who_ends_at_once_hears_no_more(
    kind: type[tcp.Server], how: str, told: str
) -> None:
    """A protocol that ends its connection as it begins gets no bytes, as ever."""
    inner = Ending(how)
    side = Side(kind, proxied(inner))
    side.socket.room = ENDLESS
    side.socket.arrive(V1 + b"ping")
    side.settle()
    assert side.is_lost
    assert [told] == inner.events


@pytest.mark.parametrize("kind", [tcp.Server, EagerServer])
def test_nothing_is_left_between(kind: type[tcp.Server]) -> None:
    """Once the header is there, the transport knows the inner protocol alone."""
    inner = EchoProtocol()
    side = Side(kind, proxied(inner))
    side.socket.room = ENDLESS
    side.socket.arrive(V1 + b"ping")
    side.settle()
    assert side.link.protocol is inner
    assert side.link is inner.transport
    # With its back-pressure: the inner protocol has registered its producer.
    assert side.link.producer is side.link
    assert b"ping" == side.socket.sent
    side.socket.end()
    side.settle()
    assert side.is_lost


def test_interfaces() -> None:
    """It is told of half-closes itself, and nothing of its own has an end to write."""
    made = proxied(EchoProtocol())
    assert verifyObject(IHalfCloseableProtocol, made)
    made.writeConnectionLost()


async def test_factories_start_together(tmp_path: Path) -> None:
    """The inner factory begins and ends with the ports that it is behind."""

    class Told(EchoFactory):
        events: list[str] = []

        def startFactory(self) -> None:
            self.events.append("start")

        def stopFactory(self) -> None:
            self.events.append("stop")

    inner = Told()
    factory = ProxiedFactory(inner, LOOPBACK, Opening())
    listen: Any = IReactorUNIX(reactor).listenUNIX
    ports = [listen(str(tmp_path / name), factory) for name in ("a", "b")]
    assert ["start"] == inner.events
    for port in ports:
        await maybeDeferred(port.stopListening)
    assert ["start", "stop"] == inner.events


class IntroducedTls(Introduced):
    """The same with TLS after the header."""

    def connectionMade(self) -> None:
        super().connectionMade()
        ITLSTransport(self.transport).startTLS(CertificateOptions())


async def test_tls_comes_after_the_header(tmp_path: Path, is_fast: bool) -> None:
    """Behind the header there may be TLS, from the very next byte on."""
    pem = tmp_path / "tls.pem"
    pem.write_bytes(certificate_pem())
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate_file(str(pem))
    context.use_privatekey_file(str(pem))

    def accepting() -> SSL.Connection:
        made = SSL.Connection(context)
        made.set_accept_state()
        return made

    echo, opening = Noting(), Opening()
    tls = TlsFactory(echo, accepting, opening)
    server = serverFromString(runs(is_fast=is_fast), "tcp:0:interface=127.0.0.1")
    port = await server.listen(ProxiedFactory(tls, LOOPBACK, opening))
    client = IntroducedTls(V2)
    address = cast("IPv4Address", port.getHost())
    described = f"tcp:127.0.0.1:{address.port}"
    await connectProtocol(clientFromString(reactor, described), client)
    await client.send(b"ping")
    assert b"ping" == await client.read(4)
    assert [IPv6Address("TCP", "2001:db8::1", 1111)] == echo.peers
    assert 0 == len(opening)
    await client.abort()
    await maybeDeferred(port.stopListening)
    await echo.when_idle()
