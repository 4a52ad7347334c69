"""The contract of echo over streams, on each transport that there is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import (
    clientFromString,
    connectProtocol,
    serverFromString,
)
from twisted.internet.interfaces import IReactorFDSet

from echod import EchoFactory
from echod.transport.nested import NestedReactor

from ..contract import StreamContract
from ..support.ends import ClientProtocol
from ..support.memory import MemoryTransport


class _OfFactory(StreamContract):
    """A contract whose connections come from one ``EchoFactory``."""

    factory: EchoFactory

    @pytest.fixture(autouse=True)
    def _make_factory(self) -> None:
        type(self).factory = EchoFactory(log_connections=False)

    def received_bytes(self) -> int:
        (connection,) = self.factory.connections
        return connection.received_bytes

    async def until_idle(self) -> None:
        await self.factory.when_idle()


class TestMemory(_OfFactory):
    """Over a transport in memory."""

    UNREAD_BYTES = 4_000_000

    @pytest.fixture
    def end(self, _make_factory: None) -> MemoryTransport:
        return MemoryTransport(self.factory.buildProtocol(None))


def runs(*, is_fast: bool) -> Any:
    """A reactor for one end of a connection."""
    return NestedReactor(IReactorFDSet(reactor)) if is_fast else reactor


class _OverEndpoint(_OfFactory):
    """Over the endpoints that a subclass names."""

    SERVER = ""
    CLIENT = ""

    #: Whether either end is on a nested reactor.
    IS_FAST_SERVER = False
    IS_FAST_CLIENT = False

    @pytest_twisted.async_yield_fixture
    async def end(
        self, _make_factory: None, tmp_path: Path
    ) -> AsyncIterator[ClientProtocol]:
        socket = tmp_path / "echo.sock"
        server = serverFromString(
            runs(is_fast=self.IS_FAST_SERVER), self.SERVER.format(socket=socket)
        )
        port = await server.listen(self.factory)
        number = getattr(port.getHost(), "port", None)
        described = self.CLIENT.format(socket=socket, number=number)
        client = ClientProtocol()
        endpoint = clientFromString(runs(is_fast=self.IS_FAST_CLIENT), described)
        await connectProtocol(endpoint, client)
        yield client
        client.transport.abortConnection()
        await client.ended
        await port.stopListening()


class TestTcp(_OverEndpoint):
    """Over Twisted's own TCP transport."""

    SERVER = "tcp:0:interface=127.0.0.1"
    CLIENT = "tcp:127.0.0.1:{number}"


class TestTcpOverIPv6(_OverEndpoint):
    """The same over IPv6."""

    SERVER = "tcp:0:interface=\\:\\:1"
    CLIENT = "tcp:\\:\\:1:{number}"


class TestUnix(_OverEndpoint):
    """Over Twisted's own UNIX transport."""

    SERVER = "unix:{socket}"
    CLIENT = "unix:{socket}"


class TestFastTcp(TestTcp):
    """Over a TCP port of a nested reactor, whose connections send at once."""

    IS_FAST_SERVER = True


class TestFastTcpOverIPv6(TestTcpOverIPv6):
    """The same over IPv6."""

    IS_FAST_SERVER = True


class TestFastUnix(TestUnix):
    """Over Twisted's own UNIX transport on a nested reactor."""

    IS_FAST_SERVER = True


class TestFastTcpAtBothEnds(TestFastTcp):
    """With the client's end on a nested reactor as well."""

    IS_FAST_CLIENT = True


class TestFastUnixAtBothEnds(TestFastUnix):
    """The same over UNIX sockets."""

    IS_FAST_CLIENT = True
