"""A UDP port that takes and answers datagrams by the batch."""

from array import array
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from ..datagram import DATAGRAMS_PER_WAKE, MAX_DATAGRAM_BYTES, DatagramPort, Unsent
from .columns import Columns, columns
from .segments import Segments, can_segment
from .slots import IPV4, IPV6, Slots

# Waits in the queue for the answers that are still in the slots.
_ANSWERS = Unsent(b"", [], None)


class Batch:
    """
    Datagrams that came together, for a protocol that has ``batchReceived``.

    There is one memory for batch after batch: this one is valid until
    ``batchReceived`` returns.

    Args:
        slots: where the datagrams are.
        found: their columns.
        count: how many there are.
        send: sends the first so many answers of the slots; told their length where
            they differ in nothing but their bytes.
    """

    def __init__(
        self,
        slots: Slots,
        found: Columns,
        count: int,
        send: Callable[[int, int | None], None],
    ) -> None:
        self._slots = slots
        self._columns = found
        self._count = count
        self._send = send
        self._dropped: set[int] = set()
        self._is_open = False

    def __len__(self) -> int:
        """How many datagrams came, those that were dropped included."""
        return self._count

    @property
    def ports(self) -> "array[int]":
        """The port of each source."""
        return self._columns.ports()

    @property
    def has_plain_sources(self) -> bool:
        """Whether each source is a single host's address beyond doubt."""
        return self._columns.have_plain_sources()

    def source(self, index: int) -> tuple[str, int]:
        """The host and the port that a datagram came from."""
        host, port, *_ = self._slots.address(index)
        return host, port

    def drop(self, index: int) -> None:
        """Leave a datagram without an answer."""
        self._dropped.add(index)

    def answer(self) -> int:
        """
        Send every datagram that was not dropped back; again does nothing.

        Returns:
            How many were handed over to be sent.
        """
        if not self._is_open:
            return 0
        self._is_open = False
        if not self._dropped:
            self._send(self._count, self._columns.common_length())
            return self._count
        kept = [it for it in range(self._count) if it not in self._dropped]
        self._slots.keep_answers(kept)
        self._send(len(kept), None)
        return len(kept)

    def open(self) -> bool:
        """
        Begin anew with what the slots hold now.

        Returns:
            True and all of it can be answered, or False and nothing has changed:
            there is a datagram that must be looked at by itself.
        """
        if not self._columns.are_plain():
            return False
        self._columns.prepare_answers()
        if self._dropped:
            self._dropped.clear()
        self._is_open = True
        return True

    def close(self) -> None:
        """End the time in which the batch can be answered."""
        self._is_open = False


class BatchedDatagramPort(DatagramPort):
    """
    A ``DatagramPort`` that makes one system call for up to 64 datagrams.

    A protocol that has ``batchReceived`` gets a ``Batch``, and what it answers costs
    no copy and no work for the single datagram; to one peer they leave as ``Segments``
    where the system has these. Where one of the datagrams needs to be
    looked at (it was cut, sent to many hosts or to a link-local address), and where
    the protocol has no such method, they come to ``datagramReceived`` one by one. All
    that ``DatagramPort`` promises holds either way.

    Takes the same arguments as ``udp.Port``; needs ``mmsg.is_available()``.
    """

    def __init__(
        self,
        port: int | None,
        proto: DatagramProtocol,
        interface: str = "",
        maxPacketSize: int = MAX_DATAGRAM_BYTES,
        reactor: IReactorFDSet | None = None,
    ) -> None:
        super().__init__(port, proto, interface, maxPacketSize, reactor)
        self._batch_received: Any = getattr(proto, "batchReceived", None)
        self._batches: list[Batch | None] = [None] * (DATAGRAMS_PER_WAKE + 1)
        # Of the slots: what was received and not given to the protocol, and what
        # was answered and not sent.
        self._undelivered = range(0)
        self._unsent_begin = self._unsent_end = 0
        self._segment_bytes: int | None = None

    def _bindSocket(self) -> None:
        super()._bindSocket()
        layout = IPV4 if self.addressFamily == IPV4.family else IPV6
        self._slots = Slots(layout, DATAGRAMS_PER_WAKE, self.maxPacketSize)
        self._segments = Segments(self._slots)
        self._can_segment = can_segment(self.socket)
        self._descriptor = self.socket.fileno()

    def doRead(self) -> None:
        if self._waiting or self._is_stopping or self._undelivered:
            self._deliver_rest()
            return
        # Once a wake: to ask again before the reactor does saved nothing measurable
        # (3.3 us a datagram either way, 16 under way, 64 bytes each).
        try:
            count = self._slots.receive(self._descriptor)
        except BlockingIOError:
            return
        except OSError as error:
            self._count(self.counters.unread, error)
            return
        if self._batch_received is None or not self._give_batch(count):
            self._undelivered = range(count)
            self._deliver_rest()

    def _give_batch(self, count: int) -> bool:
        batch = self._batches[count]
        if batch is None:
            found = columns(self._slots, count)
            batch = Batch(self._slots, found, count, self._answer)
            self._batches[count] = batch
        if not batch.open():
            return False
        try:
            self._batch_received(batch)
        except Exception:  # noqa: BLE001 - as Twisted's: it must not end the port
            self._log.failure("{protocol} failed", protocol=self.protocol)
        batch.close()
        return True

    def _deliver_rest(self) -> None:
        """Give single datagrams to the protocol, until one of its answers waits."""
        slots = self._slots
        while self._undelivered and not self._waiting and not self._is_stopping:
            index = self._undelivered[0]
            self._undelivered = self._undelivered[1:]
            self._deliver(
                slots.datagram(index),
                slots.control(index),
                slots.flags(index),
                slots.address(index),
            )
        if not self._undelivered:
            slots.restore_received()

    def _answer(self, count: int, common_length: int | None) -> None:
        self._unsent_begin, self._unsent_end = 0, count
        self._segment_bytes = common_length if self._can_segment else None
        self._hand_over(_ANSWERS)

    def _send(self, unsent: Unsent) -> bool:
        if unsent is not _ANSWERS:
            return super()._send(unsent)
        while self._unsent_begin < self._unsent_end:
            try:
                self._unsent_begin += self._send_some()
            except BlockingIOError:
                return False
            except OSError as error:
                self._count(self.counters.unsent, error)
                self._unsent_begin += 1
                self._segment_bytes = None
        self._slots.restore_answers()
        return True

    def _send_some(self) -> int:
        slots, begin, end = self._slots, self._unsent_begin, self._unsent_end
        if self._segment_bytes is not None:
            if self._segments.send(self._descriptor, end, self._segment_bytes):
                return end
            self._segment_bytes = None
        return slots.send(self._descriptor, slots.messages[begin], end - begin)

    def _keep(self, unsent: Unsent) -> None:
        if unsent is _ANSWERS:
            # They have their place already, and there are never more.
            self._waiting.append(unsent)
        else:
            super()._keep(unsent)

    def doWrite(self) -> None:
        super().doWrite()
        self._deliver_rest()

    def connectionLost(self, reason: Failure | None = None) -> None:
        super().connectionLost(reason)
        if reason is None:
            # Whoever reads the counters of a closed port keeps it for long.
            del self._slots, self._segments
            self._batches.clear()
