"""Echo over datagrams: RFC 862, "UDP Based Echo Service"."""

import os
from collections.abc import Iterable
from typing import Any
from typing import Protocol as TypingProtocol

from twisted.internet.address import UNIXAddress
from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IAddress, IUDPTransport
from twisted.internet.protocol import DatagramProtocol

from ..policy.source import LocalGuard, SourceGuard
from .counters import DatagramCounters


class DatagramBatch(TypingProtocol):
    """Datagrams that came together, and that can go back together."""

    @property
    def ports(self) -> Iterable[int]:
        """The port of each source."""

    @property
    def has_plain_sources(self) -> bool:
        """Whether each source is a single host's address beyond doubt."""

    def __len__(self) -> int:
        """How many datagrams came, those that were dropped included."""

    def source(self, index: int) -> tuple[str, int]:
        """The host and the port that a datagram came from."""

    def drop(self, index: int) -> None:
        """Leave a datagram without an answer."""

    def answer(self) -> int:
        """Send back what was not dropped; how many were handed over."""


class EchoDatagramProtocol(DatagramProtocol):
    """
    Returns each datagram to its source, unless the source must not be answered.

    Runs on ``BatchedDatagramPort``, ``DatagramPort`` and any other UDP transport, and
    on those for UNIX datagrams; Twisted's own cut what is longer than their
    ``maxPacketSize``, so give them 65,536.

    Args:
        guard: the sources that get no answer: a ``LocalGuard`` for UNIX datagrams; a
            guard of its own port or name otherwise.

    Attributes:
        counters: what has happened so far.
    """

    noisy = False
    transport: IUDPTransport

    def __init__(self, guard: SourceGuard | LocalGuard | None = None) -> None:
        self.counters = DatagramCounters()
        # Any guard, for it is asked about what its own transport has.
        self._guard: Any = guard

    def startProtocol(self) -> None:
        if self._guard is None:
            self._guard = _own_guard(self.transport.getHost())

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        refusal = self._guard.refusal_of(addr)
        if refusal is not None:
            self.counters.refused[refusal] += 1
            return
        try:
            self.transport.write(datagram, addr)
        except (OSError, MessageLengthError):
            # Twisted's own port raises what the system says of a single datagram:
            # a full buffer, no route, a firewall. The next one may well pass.
            self.counters.failed += 1
        else:
            self.counters.answered += 1

    def batchReceived(self, batch: DatagramBatch) -> None:
        """As ``datagramReceived``, for all the datagrams of ``batch``."""
        if not (batch.has_plain_sources and self._guard.allows_ports(batch.ports)):
            for index in range(len(batch)):
                refusal = self._guard.refusal(*batch.source(index))
                if refusal is not None:
                    self.counters.refused[refusal] += 1
                    batch.drop(index)
        self.counters.answered += batch.answer()


def _own_guard(host: IAddress) -> SourceGuard | LocalGuard:
    """A guard that knows no other port or name than that of ``host``."""
    if isinstance(host, UNIXAddress):
        name = host.name or b""
        # As the socket module has them: a path as text, an abstract name as bytes.
        return LocalGuard([name if name.startswith(b"\0") else os.fsdecode(name)])
    return SourceGuard([host.port])  # type: ignore[attr-defined]  # any other has one
