"""The connections of an echo service."""

import time
from collections.abc import Callable

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from ..policy.lines import LineBudget
from ..wire.address import unmapped
from .counters import StreamCounters
from .idle import IdleSweep
from .log import ConnectionLog
from .protocol import EchoProtocol


class EchoFactory(Factory[EchoProtocol]):
    """
    Makes an ``EchoProtocol`` for each connection, and knows those that are open.

    Args:
        log_connections: whether each connection's begin and end is logged, but
            no more than ``LINES_PER_S`` lines a second.
        log: does that, where several factories share it; ``log_connections`` has no
            say then.
        idle_sweep: says which connections ``end_idle`` ends; none without it.
        now_s: a clock that never goes back, in seconds.

    Attributes:
        connections: those that are open, each with the time at which it began.
        counters: what has happened so far.
    """

    protocol = EchoProtocol
    noisy = False

    def __init__(
        self,
        *,
        log_connections: bool = True,
        log: ConnectionLog | None = None,
        idle_sweep: IdleSweep | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connections: dict[EchoProtocol, float] = {}
        self.counters = StreamCounters()
        own_log = ConnectionLog(LineBudget()) if log_connections else None
        self._log = log or own_log
        self._idle_sweep = idle_sweep
        self._now_s = now_s
        self._waiting: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> EchoProtocol:
        connection = EchoProtocol(self)
        connection.peer = _unmapped(addr)
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

    def end_idle(self) -> None:
        """
        End the connections that are idle, and say which lines the log has not; to be
        called now and then.
        """
        if self._log is not None:
            self._log.say_left_out()
        if self._idle_sweep is not None:
            found = self._idle_sweep.idle(self.connections, self._now_s())
            for connection, owed_bytes in found:
                connection.time_out(owed_bytes)

    def connection_made(self, connection: EchoProtocol) -> None:
        """See ``ConnectionObserver``."""
        now_s = self._now_s()
        self.connections[connection] = now_s
        self.counters.made += 1
        if self._log is not None:
            self._log.made(connection, now_s)

    def connection_lost(self, connection: EchoProtocol, reason: Failure) -> None:
        """See ``ConnectionObserver``."""
        made_s = self.connections.pop(connection)
        self.counters.lost += 1
        self.counters.timed_out += connection.has_timed_out
        self.counters.received_bytes += connection.received_bytes
        if self._log is not None:
            self._log.lost(connection, reason, made_s, self._now_s())
        if not self.connections:
            waiting, self._waiting = self._waiting, []
            for idle in waiting:
                idle.callback(None)


def _unmapped(addr: IAddress | None) -> IAddress | None:
    """An IPv4 address that came in by an IPv6 socket as what it is."""
    if not isinstance(addr, IPv6Address) or (host := unmapped(addr.host)) == addr.host:
        return addr
    return IPv4Address(addr.type, host, addr.port)
