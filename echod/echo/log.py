"""What the log says of connections."""

import os
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import shown
from ..policy.lines import LineBudget
from .protocol import EchoProtocol


class ConnectionLog:
    """
    A line when a connection begins and one when it ends, as far as there are not too
    many of them; then a line that says how many were left out.

    Args:
        budget: how many are too many.
    """

    _log = Logger()

    def __init__(self, budget: LineBudget) -> None:
        self._budget = budget

    def made(self, connection: EchoProtocol, now_s: float) -> None:
        """The connection has begun."""
        if self._is_allowed(now_s):
            self._log.info("Connected by {peer}", peer=peer_name(connection))

    def lost(
        self, connection: EchoProtocol, reason: Failure, made_s: float, now_s: float
    ) -> None:
        """The connection that began at ``made_s`` has ended, for Twisted's reason."""
        if self._is_allowed(now_s):
            self._log.info(
                "Connection from {peer} {outcome} after "
                "{received_bytes} bytes and {duration_s:.3f} s",
                peer=peer_name(connection),
                outcome=outcome(connection, reason),
                received_bytes=connection.received_bytes,
                duration_s=now_s - made_s,
            )

    def _is_allowed(self, now_s: float) -> bool:
        if not self._budget.allows(now_s):
            return False
        self.say_left_out()
        return True

    def say_left_out(self) -> None:
        """Say how many lines were not written, if there are any that were not told."""
        lines = self._budget.take_left_out()
        if lines:
            self._log.info(
                "{lines} lines on connections were left out, at over "
                "{lines_per_s} a second",
                lines=lines,
                lines_per_s=self._budget.lines_per_s,
            )


def peer_name(connection: EchoProtocol) -> tuple[str, int] | str:
    """
    Returns:
        The peer as the socket module writes it, ``('127.0.0.1', 50000)``; ``unix:`` and
        its name, if it has one; or else the name of its kind of address.
    """
    peer: Any = connection.peer or connection.transport.getPeer()
    if isinstance(peer, UNIXAddress):
        name = os.fsdecode(peer.name or b"")
        return f"unix:{shown(name)}" if name else "unix:"
    if hasattr(peer, "host"):
        return peer.host, peer.port
    return type(peer).__name__


def outcome(connection: EchoProtocol, reason: Failure) -> str:
    """
    Returns:
        How a connection ended: ``closed`` when everything owed was sent, ``aborted``
        when echod gave it up, ``timed out`` when nothing moved on it, and ``lost``
        when its peer broke it.
    """
    if connection.has_timed_out:
        return "timed out"
    if reason.check(ConnectionDone):
        return "closed"
    return "aborted" if reason.check(ConnectionAborted) else "lost"
