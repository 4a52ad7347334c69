"""Memory for a batch of datagrams, laid out as recvmmsg and sendmmsg want it."""

import ctypes
import mmap
import socket
import struct
from typing import Any

from attrs import define

from ...wire import pktinfo
from ...wire.pktinfo import ControlMessage
from . import mmsg


@define(frozen=True, kw_only=True)
class Layout:
    """
    What the system tells of a datagram, for one family of addresses.

    Attributes:
        family: of the socket.
        name_bytes: the length of a source address, ``struct sockaddr_in`` or ``_in6``.
        control_bytes: the room for packet information, and its length when it came
            alone and whole: then nothing has to be put right before the next batch.
    """

    family: socket.AddressFamily
    name_bytes: int
    control_bytes: int


IPV4 = Layout(
    family=socket.AF_INET,
    name_bytes=16,
    control_bytes=socket.CMSG_SPACE(pktinfo.IPV4_BYTES),
)
IPV6 = Layout(
    family=socket.AF_INET6,
    name_bytes=28,
    control_bytes=socket.CMSG_SPACE(pktinfo.IPV6_BYTES),
)

# Of either address; a whole number of them is a cache line.
NAME_STRIDE = 32

# ip(7): sin_family, sin_port, sin_addr. ipv6(7): sin6_family, sin6_port,
# sin6_flowinfo, sin6_addr; sin6_scope_id is in the order of this host.
_NAME_IPV4 = struct.Struct("!xxH4s")
_NAME_IPV6 = struct.Struct("!xxHI16s")
_SCOPE = struct.Struct("=I")

MESSAGE_BYTES = ctypes.sizeof(mmsg.Message)


class Slots:
    """
    Room for ``count`` datagrams with their source addresses and packet information.

    There are two tables of messages over it: one to receive into, one to send back
    what came. They share all but the lengths, so that no length that the system
    writes has to be put right before the next batch.

    Untouched pages cost nothing: 64 slots of 65,536 bytes are 4 MiB of address space,
    and 0.3 MiB of memory when no datagram has been longer than a page.

    Args:
        layout: of the socket's family.
        count: how many datagrams.
        datagram_bytes: the longest; what is longer is cut, and its flags say so.

    Attributes:
        view: all of the memory, for columns through it.
        received, answers: where in the memory the tables of messages begin.
        lengths: where in the memory the lengths of the answers' buffers begin.
        messages: for each slot, its answer; as ``send`` takes it.
        names, controls: where the addresses and the packet information begin.
    """

    def __init__(self, layout: Layout, count: int, datagram_bytes: int) -> None:
        self.layout = layout
        self.count = count
        # One cache line more: beginnings that are whole pages apart share a few lines
        # of the cache. A loop in C took 3.7 us a datagram with it and 4.1 without (64
        # under way, 1,400 bytes each; medians of 5 runs, which overlap).
        self._stride = -(-datagram_bytes // 64) * 64 + 64
        table_bytes = count * MESSAGE_BYTES
        buffer_bytes = ctypes.sizeof(mmsg.Buffer)
        self.received = 0
        self.answers = table_bytes
        received_buffers = 2 * table_bytes
        answer_buffers = received_buffers + count * buffer_bytes
        self.lengths = answer_buffers + mmsg.Buffer.length.offset
        self.names = answer_buffers + count * buffer_bytes
        self.controls = self.names + count * NAME_STRIDE
        self._datagrams = self.controls + count * layout.control_bytes
        self._memory = mmap.mmap(-1, self._datagrams + count * self._stride)
        self.view = memoryview(self._memory)
        self._begin = (ctypes.c_char * len(self.view)).from_buffer(self._memory)
        self._write_table(self.received, received_buffers, datagram_bytes)
        self._write_table(self.answers, answer_buffers, 0)
        self._received_as_new = self._memory[:table_bytes]
        self._answers_as_new = self._memory[table_bytes : 2 * table_bytes]
        self._are_moved = False
        self._recvmmsg, self._sendmmsg = mmsg.calls()
        self._first = ctypes.byref(self._begin)
        self.messages = [
            ctypes.byref(self._begin, self.answers + index * MESSAGE_BYTES)
            for index in range(count)
        ]

    def _write_table(self, table: int, buffers: int, length: int) -> None:
        base = ctypes.addressof(self._begin)
        for index in range(self.count):
            buffer_at = buffers + index * ctypes.sizeof(mmsg.Buffer)
            buffer = mmsg.Buffer.from_buffer(self._memory, buffer_at)
            buffer.base = base + self._datagrams + index * self._stride
            buffer.length = length
            message = mmsg.Message.from_buffer(
                self._memory, table + index * MESSAGE_BYTES
            )
            message.header.name = base + self.names + index * NAME_STRIDE
            message.header.name_length = self.layout.name_bytes
            message.header.buffers = base + buffer_at
            message.header.buffer_count = 1
            message.header.control = (
                base + self.controls + index * self.layout.control_bytes
            )
            message.header.control_length = self.layout.control_bytes

    def receive(self, descriptor: int) -> int:
        """
        Take what has come to a socket into the first slots, without waiting.

        Returns:
            How many datagrams came, at least 1.

        Raises:
            OSError: nothing was taken; BlockingIOError if there was nothing.
        """
        count = self._recvmmsg(
            descriptor, self._first, self.count, mmsg.MSG_DONTWAIT, None
        )
        if count < 0:
            raise mmsg.error()
        return count

    def send(self, descriptor: int, first: Any, count: int) -> int:
        """
        Send some of the answers, without waiting.

        Args:
            descriptor: of the socket.
            first: one of ``messages``, or ``ctypes.byref`` of another ``Message``.
            count: how many to send from there on.

        Returns:
            How many were sent, at least 1; the next one may be one that cannot be.

        Raises:
            OSError: the first was not sent; BlockingIOError if there is no room.
        """
        sent = self._sendmmsg(descriptor, first, count, mmsg.MSG_DONTWAIT)
        if sent < 0:
            raise mmsg.error()
        return sent

    def restore_received(self) -> None:
        """Undo what the system has written over the table to receive into."""
        self._memory[: self.answers] = self._received_as_new

    def keep_answers(self, kept: list[int]) -> None:
        """Move the answers of these slots to the front, until they are restored."""
        table = self._answers_as_new
        rows = [table[it * MESSAGE_BYTES : (it + 1) * MESSAGE_BYTES] for it in kept]
        begin = self.answers
        self._memory[begin : begin + len(kept) * MESSAGE_BYTES] = b"".join(rows)
        self._are_moved = True

    def restore_answers(self) -> None:
        """Undo ``keep_answers``."""
        if self._are_moved:
            self._memory[self.answers : 2 * self.answers] = self._answers_as_new
            self._are_moved = False

    def are_of_one_peer(self, count: int) -> bool:
        """Whether the first slots have one address and one packet information."""
        return self._are_equal(self.names, NAME_STRIDE, count) and self._are_equal(
            self.controls, self.layout.control_bytes, count
        )

    def _are_equal(self, begin: int, stride: int, count: int) -> bool:
        # Each is its neighbour's equal: two copies and one comparison of memory.
        memory, end = self._memory, begin + count * stride
        return memory[begin + stride : end] == memory[begin : end - stride]

    def datagram(self, index: int) -> bytes:
        """What came into a slot."""
        begin = self._datagrams + index * self._stride
        return self._memory[begin : begin + self._message(index).length]

    def flags(self, index: int) -> int:
        """What the system says of the datagram in a slot: recvmsg(2), msg_flags."""
        flags: int = self._message(index).header.flags
        return flags

    def control(self, index: int) -> list[ControlMessage]:
        """The control messages of a slot, as ``socket.recvmsg`` gives them."""
        length = self._message(index).header.control_length
        begin = self.controls + index * self.layout.control_bytes
        return pktinfo.messages(self._memory[begin : begin + length])

    def address(self, index: int) -> tuple[Any, ...]:
        """Where a slot's datagram came from, as ``socket.recvmsg`` gives it."""
        begin = self.names + index * NAME_STRIDE
        if self.layout is IPV4:
            port, host = _NAME_IPV4.unpack_from(self._memory, begin)
            return socket.inet_ntop(socket.AF_INET, host), port
        port, flow, host = _NAME_IPV6.unpack_from(self._memory, begin)
        (scope,) = _SCOPE.unpack_from(self._memory, begin + _NAME_IPV6.size)
        return socket.inet_ntop(socket.AF_INET6, host), port, flow, scope

    def answer(self, index: int) -> mmsg.Message:
        """The message that sends a slot's datagram back."""
        at = self.answers + index * MESSAGE_BYTES
        return mmsg.Message.from_buffer(self._memory, at)

    def _message(self, index: int) -> mmsg.Message:
        at = self.received + index * MESSAGE_BYTES
        return mmsg.Message.from_buffer(self._memory, at)
