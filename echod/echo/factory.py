"""The connections of an echo service."""

import time
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from .counters import StreamCounters
from .protocol import EchoProtocol


class EchoFactory(Factory[EchoProtocol]):
    """
    Makes an ``EchoProtocol`` for each connection, and knows those that are open.

    Args:
        log_connections: whether each connection's begin and end is logged.
        now_s: a clock that never goes back, in seconds.

    Attributes:
        connections: those that are open, each with the time at which it began.
        counters: what has happened so far.
    """

    protocol = EchoProtocol
    noisy = False
    _log = Logger()

    def __init__(
        self,
        *,
        log_connections: bool = True,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connections: dict[EchoProtocol, float] = {}
        self.counters = StreamCounters()
        self._log_connections = log_connections
        self._now_s = now_s
        self._waiting: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> EchoProtocol:
        connection = EchoProtocol(self)
        connection.factory = self
        return connection

    def when_idle(self) -> Deferred[None]:
        """
        Returns:
            A Deferred that fires as soon as no connection is open.
        """
        idle: Deferred[None] = Deferred()
        if self.connections:
            self._waiting.append(idle)
        else:
            idle.callback(None)
        return idle

    def connection_made(self, connection: EchoProtocol) -> None:
        """See ``ConnectionObserver``."""
        self.connections[connection] = self._now_s()
        self.counters.made += 1
        if self._log_connections:
            self._log.info("Connected by {peer}", peer=peer_name(connection))

    def connection_lost(self, connection: EchoProtocol, reason: Failure) -> None:
        """See ``ConnectionObserver``."""
        made_s = self.connections.pop(connection)
        self.counters.lost += 1
        self.counters.received_bytes += connection.received_bytes
        if self._log_connections:
            self._log.info(
                "Connection from {peer} {outcome} after "
                "{received_bytes} bytes and {duration_s:.3f} s",
                peer=peer_name(connection),
                outcome=outcome(reason),
                received_bytes=connection.received_bytes,
                duration_s=self._now_s() - made_s,
            )
        if not self.connections:
            waiting, self._waiting = self._waiting, []
            for idle in waiting:
                idle.callback(None)


def peer_name(connection: EchoProtocol) -> tuple[str, int] | str:
    """
    Returns:
        The peer as the socket module writes it, ``('127.0.0.1', 50000)``; where it
        has no host and port, the name of its kind of address.
    """
    peer = connection.transport.getPeer()
    if hasattr(peer, "host"):
        return peer.host, peer.port
    return type(peer).__name__


def outcome(reason: Failure) -> str:
    """
    Returns:
        How a connection ended, in one word: ``closed`` when everything owed was
        sent, ``aborted`` when echod gave it up, ``lost`` when its peer did.
    """
    if reason.check(ConnectionDone):
        return "closed"
    return "aborted" if reason.check(ConnectionAborted) else "lost"
