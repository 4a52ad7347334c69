"""The contract of echo over datagrams, on each UDP port that there is."""

from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IReactorFDSet, IReactorUDP

from echod import DatagramPort, EchoDatagramProtocol
from echod.transport.batched.port import BatchedDatagramPort

from ..contract import DatagramContract, payload
from ..support.ends import ClientDatagramProtocol


def _stock(protocol: EchoDatagramProtocol, interface: str) -> IListeningPort:
    return IReactorUDP(reactor).listenUDP(0, protocol, interface, 65_536)


def _own(protocol: EchoDatagramProtocol, interface: str) -> IListeningPort:
    return _opened(DatagramPort, protocol, interface)


def _batched(protocol: EchoDatagramProtocol, interface: str) -> IListeningPort:
    return _opened(BatchedDatagramPort, protocol, interface)


def _opened(
    kind: type[DatagramPort], protocol: EchoDatagramProtocol, interface: str
) -> IListeningPort:
    port = kind(0, protocol, interface, reactor=IReactorFDSet(reactor))
    port.startListening()
    return port


class _OnPort(DatagramContract):
    LISTEN: Callable[[EchoDatagramProtocol, str], IListeningPort]
    INTERFACE = "127.0.0.1"

    @pytest_twisted.async_yield_fixture
    async def server(self) -> AsyncIterator[tuple[str, int]]:
        port = type(self).LISTEN(EchoDatagramProtocol(), self.INTERFACE)
        yield self.INTERFACE, cast("IPv4Address", port.getHost()).port
        await maybeDeferred(port.stopListening)

    @pytest_twisted.async_yield_fixture
    async def end(
        self, server: tuple[str, int]
    ) -> AsyncIterator[ClientDatagramProtocol]:
        client = ClientDatagramProtocol(server)
        port = IReactorUDP(reactor).listenUDP(0, client, self.INTERFACE, 65_536)
        yield client
        await maybeDeferred(port.stopListening)

    other_end = end


class TestStockPort(_OnPort):
    """On Twisted's own UDP port."""

    LISTEN = staticmethod(_stock)


class TestDatagramPort(_OnPort):
    """On echod's UDP port."""

    LISTEN = staticmethod(_own)


class _OverIPv6(_OnPort):
    INTERFACE = "::1"

    async def test_longest_datagram_comes_back(
        self, end: ClientDatagramProtocol
    ) -> None:
        """A payload of 65,527 bytes, the most that IPv6 carries, comes back."""
        await end.send(payload(65_527))
        assert payload(65_527) == await end.receive()


class TestDatagramPortOverIPv6(_OverIPv6):
    """On echod's UDP port, over IPv6, whose payloads may be longer."""

    LISTEN = staticmethod(_own)


class TestDatagramPortOnEveryAddress(_OnPort):
    """On echod's UDP port, bound to every address."""

    LISTEN = staticmethod(lambda protocol, _: _own(protocol, ""))


class TestBatchedPort(_OnPort):
    """On echod's UDP port for batches."""

    LISTEN = staticmethod(_batched)


class TestBatchedPortOverIPv6(_OverIPv6):
    """On echod's UDP port for batches, over IPv6."""

    LISTEN = staticmethod(_batched)


class TestBatchedPortOnEveryAddress(_OnPort):
    """On echod's UDP port for batches, bound to every address."""

    LISTEN = staticmethod(lambda protocol, _: _batched(protocol, ""))


class TestBatchedPortOfBothFamilies(_OnPort):
    """On echod's UDP port for batches, which takes IPv4 on an IPv6 socket."""

    LISTEN = staticmethod(lambda protocol, _: _batched(protocol, "::"))
