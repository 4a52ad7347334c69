from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from echod import EchoFactory, EchoProtocol


def connect(factory: EchoFactory, peer: Any = None) -> EchoProtocol:
    connection = factory.buildProtocol(peer)
    connection.makeConnection(StringTransport(peerAddress=peer))
    return connection


def test_connection_is_logged_as_in_the_lesson(lines: list[str]) -> None:
    """The begin of a connection is logged with its peer, the end with its sum."""
    clock = Clock()
    connection = connect(EchoFactory(now_s=clock.seconds))
    connection.dataReceived(b"Hello, world")
    clock.advance(1.5)
    connection.connectionLost(Failure(ConnectionDone()))
    assert [
        "Connected by ('192.168.1.1', 54321)",
        "Connection from ('192.168.1.1', 54321) closed after 12 bytes and 1.500 s",
    ] == lines


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (ConnectionDone, "closed"),
        (ConnectionLost, "lost"),
        (ConnectionAborted, "aborted"),
    ],
)
def test_end_has_a_word(
    lines: list[str], reason: Callable[[], Exception], word: str
) -> None:
    """Whether a connection was finished, broken or given up is in the log."""
    connect(EchoFactory()).connectionLost(Failure(reason()))
    assert f" {word} after 0 bytes" in lines[-1]


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        (IPv6Address("TCP", "::1", 50_000), "('::1', 50000)"),
        (UNIXAddress(b"/run/a\nb"), "UNIXAddress"),
    ],
)
def test_peer_is_named_by_its_kind(lines: list[str], peer: Any, name: str) -> None:
    """A peer has host and port, or else no text of its own choice."""
    connect(EchoFactory(), peer)
    assert [f"Connected by {name}"] == lines


def test_connection_lines_can_be_turned_off(lines: list[str]) -> None:
    """Without connection lines nothing is logged of connections."""
    connect(EchoFactory(log_connections=False)).connectionLost(
        Failure(ConnectionDone())
    )
    assert [] == lines


def test_connections_are_known_and_counted() -> None:
    """The factory knows who is connected, and what there was."""
    factory = EchoFactory()
    first, second = connect(factory), connect(factory)
    first.dataReceived(b"abc")
    assert {first, second} == set(factory.connections)
    first.connectionLost(Failure(ConnectionDone()))
    assert {second} == set(factory.connections)
    counters = factory.counters
    assert (2, 1, 3) == (counters.made, counters.lost, counters.received_bytes)


def test_idle_is_when_nobody_is_left() -> None:
    """``when_idle`` fires at the end of the last connection, or at once."""
    factory = EchoFactory()
    fired: list[object] = []
    factory.when_idle().addCallback(fired.append)
    assert [None] == fired
    first, second = connect(factory), connect(factory)
    factory.when_idle().addCallback(fired.append)
    first.connectionLost(Failure(ConnectionDone()))
    assert [None] == fired
    second.connectionLost(Failure(ConnectionDone()))
    assert [None, None] == fired


def test_protocol_needs_no_factory() -> None:
    """A protocol of its own echoes like any other."""
    transport = StringTransport()
    connection = EchoProtocol()
    connection.makeConnection(transport)
    connection.dataReceived(b"alone")
    connection.connectionLost()
    assert b"alone" == transport.value()


def test_protocol_can_be_half_closed() -> None:
    """Twisted asks for this interface; a class that hides it loses bytes."""
    assert IHalfCloseableProtocol.implementedBy(EchoProtocol)


def test_close_unregisters_the_producer_first() -> None:
    """A transport that is paused when it is closed would otherwise never end."""
    transport = StringTransport()
    connection = EchoProtocol()
    connection.makeConnection(transport)
    assert transport is transport.producer
    connection.close()
    connection.close()
    assert transport.producer is None
    assert transport.disconnecting


def test_lost_output_closes_the_connection() -> None:
    """A peer that takes nothing more is not read from any longer."""
    transport = StringTransport()
    connection = EchoProtocol()
    connection.makeConnection(transport)
    connection.writeConnectionLost()
    assert transport.disconnecting
