"""The contract of echo over streams, on TLS."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import (
    clientFromString,
    connectProtocol,
    serverFromString,
)
from twisted.internet.interfaces import IReactorFDSet, IReactorTime

from echod import EchoFactory
from echod.transport.nested import NestedReactor
from echod.transport.opening import Opening
from echod.transport.tls.factory import TlsFactory, connect

from ...contract import StreamContract
from ...support.ends import ClientProtocol
from ...support.tls import (
    PythonEnd,
    client_connection,
    client_context,
    server_connection,
    server_context,
)


def runs(*, is_fast: bool) -> Any:
    """A reactor for one end of a connection."""
    return NestedReactor(IReactorFDSet(reactor)) if is_fast else reactor


class _OverTls(StreamContract):
    """Over TLS on the endpoints that a subclass names."""

    UNREAD_BYTES = 24 * 1024 * 1024

    VERSION = "1.3"
    SERVER = "tcp:0:interface=127.0.0.1"
    CLIENT = "tcp:127.0.0.1:{number}"

    #: Whether either end is on a nested reactor.
    IS_FAST_SERVER = False
    IS_FAST_CLIENT = False

    factory: EchoFactory
    tls: TlsFactory

    #: How many ends of streams come without close_notify at most.
    TRUNCATED = 0

    @pytest_twisted.async_yield_fixture
    async def end(self, tmp_path: Path) -> AsyncIterator[ClientProtocol]:
        cls = type(self)
        cls.factory = EchoFactory(log_connections=False)
        opening = Opening()
        context = server_context()
        cls.tls = TlsFactory(cls.factory, lambda: server_connection(context), opening)
        socket = tmp_path / "echo.sock"
        server = serverFromString(
            runs(is_fast=self.IS_FAST_SERVER), self.SERVER.format(socket=socket)
        )
        port = await server.listen(self.tls)
        number = getattr(port.getHost(), "port", None)
        described = self.CLIENT.format(socket=socket, number=number)
        client = await self.connected(
            clientFromString(runs(is_fast=self.IS_FAST_CLIENT), described)
        )
        yield client
        client.transport.abortConnection()
        await client.ended
        await self.factory.when_idle()
        await port.stopListening()
        assert 0 == len(opening)
        assert 1 == self.tls.counters.handshakes
        assert self.tls.counters.truncated <= self.TRUNCATED
        assert 0 == self.tls.counters.broken
        assert {} == self.tls.counters.failed

    async def connected(self, endpoint: Any) -> ClientProtocol:
        """A client that is connected, and knows that."""
        client = ClientProtocol()
        made = client_connection(client_context(self.VERSION))
        clock = IReactorTime(reactor)
        await connect(endpoint, client, made, timeout_s=20, clock=clock)
        return client

    def received_bytes(self) -> int:
        (connection,) = self.factory.connections
        return connection.received_bytes

    async def until_idle(self) -> None:
        await self.factory.when_idle()


class TestTls(_OverTls):
    """Over TLS 1.3 on Twisted's own TCP transport."""


class TestTls12(_OverTls):
    """Over TLS 1.2 on the same."""

    VERSION = "1.2"


class TestTlsOverUnix(_OverTls):
    """On Twisted's own UNIX transport."""

    SERVER = "unix:{socket}"
    CLIENT = "unix:{socket}"
    TRUNCATED = 1  # A UNIX socket that is broken off looks like one that has ended.


class TestFastTls(TestTls):
    """On connections of a nested reactor, which send at once."""

    IS_FAST_SERVER = True


class TestFastTls12(TestTls12):
    """The same with TLS 1.2."""

    IS_FAST_SERVER = True


class TestFastTlsAtBothEnds(TestFastTls):
    """With the client's end on a nested reactor as well."""

    IS_FAST_CLIENT = True


class TestFastTlsOverUnix(TestTlsOverUnix):
    """On UNIX transports of a nested reactor, at both ends."""

    IS_FAST_SERVER = True
    IS_FAST_CLIENT = True


class _WithPython(_OverTls):
    """With CPython's TLS at the client's end."""

    IS_FAST_SERVER = True
    SAYS_END = True

    async def connected(self, endpoint: Any) -> ClientProtocol:
        client = PythonEnd(self.VERSION, says_end=self.SAYS_END)
        await connectProtocol(endpoint, client)
        await client.opened
        return client


class TestPython(_WithPython):
    """With CPython's TLS 1.3, half-closed by close_notify."""


class TestPython12(_WithPython):
    """With CPython's TLS 1.2, half-closed by close_notify."""

    VERSION = "1.2"


class TestPythonOnStock(_WithPython):
    """On Twisted's own TCP transport."""

    IS_FAST_SERVER = False


class TestBareFin(_WithPython):
    """With CPython's TLS 1.3, half-closed by a bare FIN."""

    SAYS_END = False
    TRUNCATED = 1


class TestBareFin12(TestBareFin):
    """With CPython's TLS 1.2, half-closed by a bare FIN."""

    VERSION = "1.2"


class TestBareFinOnStock(TestBareFin):
    """On Twisted's own TCP transport."""

    IS_FAST_SERVER = False
