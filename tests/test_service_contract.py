"""The contract of echo, on each kind of listener of a service and on its transports."""

import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import pytest_twisted
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory

from echod import EchoService, Settings, make_service
from echod.transport.sockets.inherited import InheritedSockets
from echod.transport.tls.factory import connect

from .contract import StreamContract
from .support.certificate import certificate_pem
from .support.ends import ClientProtocol
from .support.tls import client_connection, client_context

PROXY_1 = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 65432\r\n"
PROXY_2 = bytes.fromhex(
    "0d0a0d0a000d0a515549540a 2111 000c c0000207 c0000201 1267 ff98"
)


class _Behind:
    """An endpoint whose connections begin with some bytes."""

    def __init__(self, endpoint: IStreamClientEndpoint, header: bytes) -> None:
        self._endpoint, self._header = endpoint, header

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        made = cast("Any", _HeaderFactory(factory, self._header))
        connecting: Deferred[IProtocol] = self._endpoint.connect(made)
        return connecting


class _HeaderFactory(Factory[Any]):
    noisy = False

    def __init__(self, inner: Any, header: bytes) -> None:
        self._inner, self._header = inner, header

    def buildProtocol(self, addr: Any) -> Any:
        made = self._inner.buildProtocol(addr)
        begin: Callable[[Any], None] = made.makeConnection

        def begin_with_header(transport: Any) -> None:
            transport.write(self._header)
            begin(transport)

        made.makeConnection = begin_with_header
        return made


@pytest.mark.parametrize("transport", ["fast", "stock"])
class _OfService(StreamContract):
    """On a service whose settings a subclass has."""

    UNREAD_BYTES = 24 * 1024 * 1024

    LISTEN = ""
    TERMS: ClassVar[dict[str, Any]] = {}

    #: What the client sends before all else, and the TLS that it speaks then.
    HEADER = b""
    TLS = ""

    service: EchoService

    @pytest_twisted.async_yield_fixture
    async def end(
        self, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[ClientProtocol]:
        (tmp_path / "echod.pem").write_bytes(certificate_pem())
        self.prepare(tmp_path, monkeypatch)
        listen = self.LISTEN.format(folder=tmp_path, pid=os.getpid())
        settings = Settings(
            listen=listen, transport=transport, log_connections=False, **self.TERMS
        )
        type(self).service = make_service(settings, reactor)
        self.service.startService()
        client = await self.connected(self.endpoint(), ClientProtocol())
        yield client
        client.transport.abortConnection()
        await client.ended
        await self.service.stopService()

    def prepare(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have ready what the service needs."""

    def endpoint(self) -> Any:
        """Where the service is."""
        at: Any = self.service.addresses[0]
        if hasattr(at, "host"):
            return HostnameEndpoint(reactor, at.host, at.port)
        return UNIXClientEndpoint(reactor, at.name)

    async def connected(self, endpoint: Any, client: ClientProtocol) -> ClientProtocol:
        """The client, when it is connected."""
        if self.HEADER:
            endpoint = _Behind(endpoint, self.HEADER)
        if self.TLS:
            made: SSL.Connection = client_connection(client_context(self.TLS))
            clock = IReactorTime(reactor)
            await connect(endpoint, client, made, timeout_s=20, clock=clock)
        else:
            await connectProtocol(endpoint, client)
        return client

    def received_bytes(self) -> int:
        (connection,) = self.service.streams[0].connections
        return connection.received_bytes

    async def until_idle(self) -> None:
        await self.service.streams[0].when_idle()


class TestTcp(_OfService):
    """TCP over IPv4."""

    LISTEN = "tcp:0:interface=127.1"


class TestTcpOverIPv6(_OfService):
    """TCP over IPv6."""

    LISTEN = r"tcp:0:interface=\:\:1"


class TestUnix(_OfService):
    """UNIX streams."""

    LISTEN = "unix:{folder}/echo.sock"


class TestAbstract(_OfService):
    """UNIX streams without a file."""

    LISTEN = "unix:@echod-service-contract-{pid}"


class TestTls(_OfService):
    """TLS 1.3 with a certificate of a file."""

    LISTEN = "ssl:0:privateKey={folder}/echod.pem:interface=127.0.0.1"
    TLS = "1.3"


class TestTls12(_OfService):
    """TLS 1.2 with a certificate of a folder."""

    LISTEN = "tls:{folder}:0:interface=127.0.0.1"
    TLS = "1.2"


class TestProxy(_OfService):
    """Behind a balancer that speaks version 1."""

    LISTEN = "tcp:0:interface=127.0.0.1"
    TERMS: ClassVar = {"proxy_protocol": True}
    HEADER = PROXY_1


class TestProxyOverUnix(_OfService):
    """Behind a balancer on the same machine."""

    LISTEN = "unix:{folder}/echo.sock"
    TERMS: ClassVar = {"proxy_protocol": True, "proxy_from": ""}
    HEADER = PROXY_2


class TestTlsBehindProxy(_OfService):
    """TLS behind a balancer that speaks version 2."""

    LISTEN = "ssl:0:privateKey={folder}/echod.pem:interface=127.0.0.1"
    TERMS: ClassVar = {"proxy_protocol": True}
    HEADER = PROXY_2
    TLS = "1.3"


class TestInherited(_OfService):
    """On a TCP socket of somebody else's."""

    LISTEN = "systemd:name=echod"

    @pytest.fixture(autouse=True)
    def _given(self) -> Any:
        with self.given() as type(self).listening:
            yield

    listening: socket.socket

    def given(self) -> socket.socket:
        return socket.create_server(("127.0.0.1", 0))

    def prepare(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        found = InheritedSockets([self.listening.fileno()], ["echod"])
        monkeypatch.setattr(InheritedSockets, "of_process", lambda: found)


class TestInheritedTls(TestInherited):
    """TLS on such a socket."""

    LISTEN = "systemd:name=echod:privateKey={folder}/echod.pem"
    TLS = "1.3"


class TestInheritedUnix(TestInherited):
    """On a UNIX socket of somebody else's."""

    def given(self) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(f"\0echod-inherited-contract-{os.getpid()}")
        listening.listen()
        return listening
