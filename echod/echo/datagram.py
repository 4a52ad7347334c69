"""Echo over datagrams: RFC 862, "UDP Based Echo Service"."""

from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IUDPTransport
from twisted.internet.protocol import DatagramProtocol

from ..policy.source import SourceGuard
from .counters import DatagramCounters


class EchoDatagramProtocol(DatagramProtocol):
    """
    Returns each datagram to its source, unless the source must not be answered.

    Runs on ``DatagramPort`` and on any other UDP transport; Twisted's own cuts what
    is longer than its ``maxPacketSize``, so give it 65,536.

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
