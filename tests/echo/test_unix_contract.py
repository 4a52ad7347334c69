"""The contract of echo over UNIX sockets that echod opens itself."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.interfaces import (
    IListeningPort,
    IReactorFDSet,
    IReactorUNIXDatagram,
)
from twisted.internet.protocol import DatagramProtocol

from echod import EchoDatagramProtocol, EchoFactory
from echod.policy.source import LocalGuard, Refusal
from echod.transport.eager_unix import EagerUnixPort, UnixPort
from echod.transport.nested import NestedReactor
from echod.transport.sockets.unix import OpenedUnix, open_unix
from echod.transport.unixgram import UnixDatagramPort
from echod.wire.local import UnixListener

from ..contract import DatagramContract, StreamContract, payload
from ..support.ends import ClientDatagramProtocol, ClientProtocol


def stock() -> Any:
    return reactor


def nested() -> Any:
    return NestedReactor(IReactorFDSet(reactor))


class _OverStreams(StreamContract):
    """Over a socket that was opened before, on the port that a subclass names."""

    PORT: type[UnixPort] = UnixPort
    REACTOR = staticmethod(stock)

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        return str(tmp_path / "echo.sock")

    @pytest_twisted.async_yield_fixture
    async def end(self, path: str) -> AsyncIterator[ClientProtocol]:
        type(self).factory = EchoFactory(log_connections=False)
        opened = open_unix(UnixListener(protocol="unix", path=path))
        with opened.socket:
            port = self.PORT.from_descriptor(
                opened.socket.fileno(), cast("Any", self.factory), self.REACTOR()
            )
        port.startListening()
        client = ClientProtocol()
        address = path.replace("@", "\0", 1) if path.startswith("@") else path
        await connectProtocol(UNIXClientEndpoint(reactor, address), client)
        yield client
        client.transport.abortConnection()
        await client.ended
        opened.remove()
        await port.stopListening()

    factory: EchoFactory

    def received_bytes(self) -> int:
        (connection,) = self.factory.connections
        return connection.received_bytes

    async def until_idle(self) -> None:
        await self.factory.when_idle()


class TestStock(_OverStreams):
    """Over Twisted's own connections."""


class TestStockOnNested(_OverStreams):
    """Over Twisted's own connections, on a nested reactor."""

    REACTOR = staticmethod(nested)


class TestEager(_OverStreams):
    """Over connections that send at once, on Twisted's reactor."""

    PORT = EagerUnixPort


class TestFast(_OverStreams):
    """Over connections that send at once, on a nested reactor."""

    PORT = EagerUnixPort
    REACTOR = staticmethod(nested)


class TestFastOverAbstractName(TestFast):
    """The same, over an abstract name."""

    @pytest.fixture
    def path(self) -> str:
        return f"@echod-contract-{os.getpid()}"


#: How long UNIX datagrams may be that UDP has not.
LONG_BYTES = 200_000


def listen(path: Path, protocol: DatagramProtocol, most_bytes: int) -> IListeningPort:
    """Twisted's own port, as ``protocol`` takes for UDP's."""
    listening: Any = IReactorUNIXDatagram(reactor)
    port: IListeningPort = listening.listenUNIXDatagram(str(path), protocol, most_bytes)
    return port


class _OverDatagrams(DatagramContract):
    """Over a socket that was opened before, on a reactor that a subclass names."""

    REACTOR = staticmethod(stock)

    @pytest.fixture
    def path(self, tmp_path: Path) -> str:
        return str(tmp_path / "echo.sock")

    @pytest.fixture
    def opened(self, path: str) -> Iterator[OpenedUnix]:
        made = open_unix(UnixListener(protocol="unixgram", path=path))
        yield made
        made.remove()

    @pytest_twisted.async_yield_fixture
    async def server(
        self, path: str, opened: OpenedUnix
    ) -> AsyncIterator[UnixDatagramPort]:
        port = UnixDatagramPort.from_socket(
            opened.socket, EchoDatagramProtocol(), self.REACTOR()
        )
        port.startListening()
        yield port
        await port.stopListening()

    @pytest_twisted.async_yield_fixture
    async def end(
        self, server: UnixDatagramPort, path: str, tmp_path: Path
    ) -> AsyncIterator[ClientDatagramProtocol]:
        address: Any = path.replace("@", "\0", 1) if path.startswith("@") else path
        client = ClientDatagramProtocol(address)
        port = listen(tmp_path / f"client-{id(client)}", client, 2 * LONG_BYTES)
        yield client
        await maybeDeferred(port.stopListening)

    other_end = end

    async def test_longer_than_udp(self, end: ClientDatagramProtocol) -> None:
        """A datagram comes back whole that is longer than any of UDP's."""
        await end.send(payload(LONG_BYTES))
        assert payload(LONG_BYTES) == await end.receive()


class TestDatagrams(_OverDatagrams):
    """On Twisted's reactor."""


class TestFastDatagrams(_OverDatagrams):
    """On a nested reactor."""

    REACTOR = staticmethod(nested)


class TestDatagramsToAbstractName(_OverDatagrams):
    """To an abstract name."""

    @pytest.fixture
    def path(self) -> str:
        return f"@echod-contract-{os.getpid()}"


class TestDatagramsOnTwistedsPort(DatagramContract):
    """On Twisted's own port, which is told how long datagrams may be."""

    @pytest_twisted.async_yield_fixture
    async def server(self, tmp_path: Path) -> AsyncIterator[str]:
        path = tmp_path / "echo.sock"
        port = listen(path, EchoDatagramProtocol(), 65_536)
        yield str(path)
        await maybeDeferred(port.stopListening)

    @pytest_twisted.async_yield_fixture
    async def end(
        self, server: str, tmp_path: Path
    ) -> AsyncIterator[ClientDatagramProtocol]:
        client = ClientDatagramProtocol(cast("Any", server))
        port = listen(tmp_path / f"client-{id(client)}", client, 65_536)
        yield client
        await maybeDeferred(port.stopListening)

    other_end = end


class TestLocalGuard:
    """Which sources get no answer."""

    @pytest.mark.parametrize("name", ["/run/echo.sock", b"\0echo"])
    def test_own_names_are_refused(self, name: str | bytes) -> None:
        """A datagram of echod's own would go round for ever."""
        assert Refusal.OWN_NAME is LocalGuard(["/other", name]).refusal_of(name)

    def test_source_without_a_name_is_refused(self) -> None:
        """There is nowhere to send an answer to."""
        assert Refusal.NO_NAME is LocalGuard().refusal_of(None)

    @pytest.mark.parametrize("name", ["/tmp/client", b"\0client", "", b""])  # noqa: S108
    def test_others_are_answered(self, name: str | bytes) -> None:
        """Any other name is as good as the next."""
        assert LocalGuard(["/run/echo.sock"]).refusal_of(name) is None
