"""Connections on which nothing moves."""

from collections.abc import Callable, Iterable

from attrs import frozen

from .protocol import EchoProtocol


@frozen
class _Mark:
    """What a connection had received, and was owed, when it last moved."""

    at_s: float
    received_bytes: int
    owed_bytes: int | None


class IdleSweep:
    """
    Finds the connections that are idle: a look at all of them now and then instead of
    a timer for each message.

    Args:
        timeout_s: how long nothing must move.
        owed_bytes: how much a connection's peer has yet to take. A peer that still
            takes what it is owed, however slowly, is not idle.
    """

    def __init__(
        self, timeout_s: float, owed_bytes: Callable[[EchoProtocol], int]
    ) -> None:
        self._timeout_s = timeout_s
        self._owed_bytes = owed_bytes
        self._marks: dict[EchoProtocol, _Mark] = {}

    def idle(
        self, connections: Iterable[EchoProtocol], now_s: float
    ) -> list[tuple[EchoProtocol, int]]:
        """
        Args:
            connections: all that are open.
            now_s: the time of this look; the last one was not later.

        Returns:
            Those on which nothing came in for as long as ``timeout_s``, each with the
            bytes that it is owed. One that is owed some gets as long again to take of
            them.
        """
        before, self._marks = self._marks, {}
        found = []
        for connection in connections:
            mark = before.get(connection)
            if mark is None or mark.received_bytes != connection.received_bytes:
                mark = _Mark(now_s, connection.received_bytes, None)
            elif now_s - mark.at_s >= self._timeout_s:
                owed_bytes = self._owed_bytes(connection)
                if owed_bytes == (mark.owed_bytes or 0):
                    found.append((connection, owed_bytes))
                mark = _Mark(now_s, connection.received_bytes, owed_bytes)
            self._marks[connection] = mark
        return found
