import socket
from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from echod.client import stream
from echod.client.connection import LINGER_S, Connection
from echod.errors import CannotReach
from echod.wire.target import Target


def local(port: int) -> Target:
    return Target(protocol="tcp", host="127.0.0.1", port=port)


async def test_connecting_has_an_end() -> None:
    """A host that does not answer a connect is given up after the time-out."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # Linux takes one connection more than the backlog says, then is silent.
        address = full.getsockname()
        with socket.create_connection(address), pytest.raises(CannotReach) as caught:
            await stream.echo(
                local(address[1]), b"x", 0.2, cast("IReactorFDSet", reactor)
            )
    assert "connecting took too long; want" in str(caught.value)


def test_failed_connection_is_not_finished() -> None:
    """What has failed sends nothing more, not even its end."""
    transport: Any = StringTransport()
    connection = Connection(local(7), bytearray().extend, cast("Any", reactor))
    connection.makeConnection(transport)
    connection.done.addErrback(lambda failure: failure.trap(CannotReach))
    connection.fail(CannotReach("first"))
    connection.finish(1.0)
    assert connection.timeOut is None


class Tls(StringTransport):
    """A TLS transport whose other end never says its last word."""

    TLS = True

    def loseWriteConnection(self) -> None:
        self.has_half_closed = True

    def abortConnection(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionAborted()))

    has_half_closed = False
    protocol: Connection


async def test_complete_exchange_is_not_spoilt_by_its_end() -> None:
    """Who has every byte waits a moment for the end of TLS, and is content without."""
    clock, transport = Clock(), Tls()
    connection = Connection(local(7), bytearray().extend, cast("Any", clock))
    transport.protocol = connection
    connection.makeConnection(cast("Any", transport))
    connection.end()
    assert transport.has_half_closed
    assert not connection.done.called
    clock.advance(LINGER_S)
    assert connection.done.called
    await connection.done
