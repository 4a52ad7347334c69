"""Echo over datagrams: RFC 862, "UDP Based Echo Service"."""

from collections.abc import Iterable
from typing import Protocol as TypingProtocol

from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IUDPTransport
from twisted.internet.protocol import DatagramProtocol

from ..policy.source import SourceGuard
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

    Runs on ``BatchedDatagramPort``, ``DatagramPort`` and any other UDP transport;
    Twisted's own cuts what is longer than its ``maxPacketSize``, so give it 65,536.

    Args:
        guard: the sources that get no answer; a guard of its own port otherwise.

    Attributes:
        counters: what has happened so far.
    """

    noisy = False
    transport: IUDPTransport

    def __init__(self, guard: SourceGuard | None = None) -> None:
        self.counters = DatagramCounters()
        self._guard = guard

    def startProtocol(self) -> None:
        if self._guard is None:
            self._guard = SourceGuard([self.transport.getHost().port])

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        assert self._guard is not None
        refusal = self._guard.refusal(*addr)
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
        assert self._guard is not None
        if not (batch.has_plain_sources and self._guard.allows_ports(batch.ports)):
            for index in range(len(batch)):
                refusal = self._guard.refusal(*batch.source(index))
                if refusal is not None:
                    self.counters.refused[refusal] += 1
                    batch.drop(index)
        self.counters.answered += batch.answer()
