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
from echod.echo.idle import IdleSweep


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
        (IPv6Address("TCP", "::ffff:192.0.2.7", 7), "('192.0.2.7', 7)"),
        (object(), "object"),
        (UNIXAddress(b"/run/a\nb"), r"unix:'/run/a\nb'"),
        (UNIXAddress(None), "unix:"),
    ],
)
def test_peer_is_named_by_its_kind(lines: list[str], peer: Any, name: str) -> None:
    """A peer has host and port; a text of its own choice is made safe."""
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


class Abortable(StringTransport):
    """A transport that ends when it is told to."""

    protocol: EchoProtocol

    def abortConnection(self) -> None:
        self.aborting = True
        self._end(ConnectionAborted())

    def loseConnection(self) -> None:
        super().loseConnection()
        self._end(ConnectionDone())

    def _end(self, reason: Exception) -> None:
        self.protocol.connectionLost(Failure(reason))


class Swept:
    """A factory with a clock, whose connections are idle after 10 seconds."""

    def __init__(self, transport: type[StringTransport] = Abortable) -> None:
        self.clock = Clock()
        self.owed_bytes = 0
        self.factory = EchoFactory(
            idle_sweep=IdleSweep(10.0, lambda _: self.owed_bytes),
            now_s=self.clock.seconds,
        )
        self._kind = transport

    def connect(self) -> tuple[EchoProtocol, Any]:
        transport: Any = self._kind()
        connection = self.factory.buildProtocol(None)
        transport.protocol = connection
        connection.makeConnection(transport)
        return connection, transport

    def pass_by(self, seconds: int) -> None:
        """A look a second."""
        for _ in range(seconds):
            self.factory.end_idle()
            self.clock.advance(1)


def test_idle_connection_is_closed(lines: list[str]) -> None:
    """A silent connection is closed after its time, counted, and told in the log."""
    swept = Swept()
    _, silent = swept.connect()
    talking, transport = swept.connect()
    swept.pass_by(10)
    assert not silent.disconnecting
    talking.dataReceived(b"x")
    swept.pass_by(1)
    assert (True, False) == (silent.disconnecting, transport.disconnecting)
    assert not getattr(silent, "aborting", False)
    counters = swept.factory.counters
    assert (2, 1, 1) == (counters.made, counters.lost, counters.timed_out)
    assert " timed out after 0 bytes and 10.000 s" in lines[-1]
    assert {talking} == set(swept.factory.connections)


def test_stuck_connection_is_aborted(lines: list[str]) -> None:
    """A peer that takes nothing of what it is owed is cut off after two time-outs."""
    swept = Swept()
    swept.owed_bytes = 5
    _, stuck = swept.connect()
    swept.pass_by(20)
    assert not getattr(stuck, "aborting", False)
    swept.pass_by(1)
    assert stuck.aborting
    assert 1 == swept.factory.counters.timed_out
    assert " timed out after 0 bytes" in lines[-1]


class Endless(StringTransport):
    """A transport that never gets to its end, as TLS to a peer that is silent."""

    aborting = 0

    def abortConnection(self) -> None:
        self.aborting += 1


def test_close_that_comes_to_nothing_is_followed_by_an_abort() -> None:
    """A connection that is still there a time-out after it was closed is aborted."""
    swept = Swept(Endless)
    _, transport = swept.connect()
    swept.pass_by(11)
    assert (True, 0) == (transport.disconnecting, transport.aborting)
    swept.pass_by(10)
    assert 1 == transport.aborting


def test_nothing_is_idle_without_a_sweep() -> None:
    """A factory of its own ends nobody."""
    factory = EchoFactory(log_connections=False)
    connection = connect(factory)
    for _ in range(100):
        factory.end_idle()
    assert {connection} == set(factory.connections)


def test_ended_connection_is_not_timed_out(lines: list[str]) -> None:
    """The counter of time-outs has those that timed out, and nobody else."""
    swept = Swept()
    connection, transport = swept.connect()
    transport.loseConnection()
    swept.pass_by(30)
    counters = swept.factory.counters
    assert (1, 0) == (counters.lost, counters.timed_out)
    assert " closed after" in lines[-1]
    assert not connection.has_timed_out


def test_transport_that_cannot_abort_is_closed() -> None:
    """Where there is no abort, a stuck connection is closed at least."""
    transport = StringTransport()
    transport.abortConnection = transport.loseConnection  # type: ignore[method-assign]
    connection = EchoProtocol()
    connection.makeConnection(transport)
    connection.time_out(1)
    assert transport.disconnecting


def test_lines_of_a_flood_are_left_out_and_counted(lines: list[str]) -> None:
    """Of many connections in a second, 80 lines tell; one line counts the rest."""
    clock = Clock()
    factory = EchoFactory(now_s=clock.seconds)
    connections = [connect(factory) for _ in range(250)]
    connections[0].connectionLost(Failure(ConnectionDone()))
    assert 80 == len(lines)
    clock.advance(1)
    factory.end_idle()
    assert ["171 lines on connections were left out, at over 80 a second"] == (
        lines[80:]
    )


def test_left_out_lines_are_told_before_the_next(lines: list[str]) -> None:
    """Where nobody asks for it, it stands before the next line that is written."""
    clock = Clock()
    factory = EchoFactory(now_s=clock.seconds)
    for _ in range(101):
        connect(factory)
    clock.advance(1)
    connect(factory)
    assert lines[80].startswith("21 lines on connections were left out")
    assert lines[81].startswith("Connected by")
