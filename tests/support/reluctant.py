"""Datagram ports whose system calls fail when a test says so."""

import ctypes
import socket
from collections.abc import Iterable
from typing import Any, cast

from echod.transport.batched.port import BatchedDatagramPort
from echod.transport.datagram import DatagramPort


class ReluctantSocket:
    """A real socket whose first receives and sends fail with the errors given."""

    def __init__(
        self, real: socket.socket, receive: Iterable[int], send: Iterable[int]
    ) -> None:
        self._real = real
        self._receive = [OSError(number, "injected") for number in receive]
        self._send = [OSError(number, "injected") for number in send]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def recvmsg(self, *args: Any) -> Any:
        if self._receive:
            raise self._receive.pop(0)
        return self._real.recvmsg(*args)

    def sendmsg(self, *args: Any) -> Any:
        if self._send:
            raise self._send.pop(0)
        return self._real.sendmsg(*args)


class ReluctantCall:
    """
    recvmmsg or sendmmsg.

    Args:
        real: the call itself.
        results: of the first calls: above 0 the most messages that it moves, or the
            number of an error, negated.

    Attributes:
        counts: how many messages each call was to move.
    """

    def __init__(self, real: Any, results: Iterable[int]) -> None:
        self._real = real
        self._results = list(results)
        self.counts: list[int] = []

    def __call__(self, descriptor: int, first: Any, count: int, *more: Any) -> int:
        self.counts.append(count)
        result = self._results.pop(0) if self._results else count
        if result < 0:
            ctypes.set_errno(-result)
            return -1
        moved: int = self._real(descriptor, first, min(result, count), *more)
        return moved


def inject(
    port: DatagramPort, *, receive: tuple[int, ...] = (), send: tuple[int, ...] = ()
) -> None:
    """Let the next receives and sends of ``port`` fail with these errors."""
    port.socket = cast("socket.socket", ReluctantSocket(port.socket, receive, send))
    if isinstance(port, BatchedDatagramPort):
        inject_calls(port, receive=[-it for it in receive])


def inject_calls(
    port: BatchedDatagramPort, *, receive: Iterable[int] = (), send: Iterable[int] = ()
) -> tuple[ReluctantCall, ReluctantCall]:
    """Let the next calls for batches do this; how they are called from now on."""
    slots = port._slots
    calls = (
        ReluctantCall(slots._recvmmsg, receive),
        ReluctantCall(slots._sendmmsg, send),
    )
    slots._recvmmsg, slots._sendmmsg = calls
    return calls
