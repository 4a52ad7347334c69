"""
An echo service as the other end of a test: real sockets, no second process.

    pytest examples/test_with_echod.py

Copy the fixture, and put your own client in the place of ``Client``. Needs
pytest-twisted.
"""

from collections.abc import AsyncIterator

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.protocols.basic import LineOnlyReceiver

from echod import Settings, make_service


@pytest_twisted.async_yield_fixture
async def echo() -> AsyncIterator[IPv4Address]:
    """Where an echo service listens while the test runs; port 0 is any free port."""
    service = make_service(Settings(port=0, protocols="tcp"), reactor)
    service.startService()
    (address,) = service.addresses
    assert isinstance(address, IPv4Address)
    yield address
    await service.stopService()


class Client(LineOnlyReceiver):
    """The client under test: asks with a line, and is answered with a line."""

    def ask(self, question: bytes) -> Deferred[bytes]:
        """Send a question; the answer comes with the Deferred."""
        self.answer: Deferred[bytes] = Deferred()
        self.sendLine(question)
        return self.answer

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted calls it
        """Take the answer."""
        self.answer.callback(line)


async def test_client_is_answered(echo: IPv4Address) -> None:
    """The client takes for an answer exactly what the service sent."""
    endpoint = HostnameEndpoint(reactor, echo.host, echo.port)
    client = await connectProtocol(endpoint, Client())
    assert await client.ask(b"Hello, world") == b"Hello, world"
    client.transport.loseConnection()
