"""What the datagrams of a batch have in common, asked of all of them at once."""

import ctypes
import sys
from abc import ABC, abstractmethod
from array import array
from typing import Literal

from ...policy import source
from ...wire import pktinfo
from . import mmsg
from .slots import IPV4, MESSAGE_BYTES, NAME_STRIDE, Slots

_HEADER = mmsg.Message.header.offset
_BUFFER_BYTES = ctypes.sizeof(mmsg.Buffer)

# Of a size_t the column is the lower 32 bits: no length is greater, and two columns
# must be of one kind to be copied or compared.
_LOWER_BITS = 0 if sys.byteorder == "little" else mmsg.Header.control_length.size - 4

# memoryview's names for unsigned integers of 1, 2 and 4 bytes.
_Kind = Literal["B", "H", "I"]

# Where the port and the address are in sockaddr_in and sockaddr_in6: ip(7), ipv6(7).
_PORT = 2
_IPV4_HOST = 4
_IPV6_HOST = 8


class Columns(ABC):
    """
    The first ``count`` slots, field by field.

    A column costs one to five nanoseconds a datagram; a line of Python about a single
    datagram costs a hundred. Made once for each ``count``, and then used again.
    """

    _INTERFACE: int

    def __init__(self, slots: Slots, count: int) -> None:
        self._slots = slots
        self._count = count
        layout, header = slots.layout, mmsg.Header
        self._lengths = self._of_messages(mmsg.Message.length.offset)
        self._flags = self._of_messages(_HEADER + header.flags.offset)
        self._name_lengths = self._of_messages(_HEADER + header.name_length.offset)
        self._control_lengths = self._of_messages(
            _HEADER + header.control_length.offset + _LOWER_BITS
        )
        self._answer_lengths = self._column(
            "I", slots.lengths + _LOWER_BITS, _BUFFER_BYTES
        )
        # Of all but the first, and of all but the last: equal when all are.
        self._next_lengths, self._last_lengths = self._lengths[1:], self._lengths[:-1]
        self._interfaces = self._of_information("I", self._INTERFACE)
        self._ports = self._of_names("H", _PORT)
        self._zeros = self._constant(0)
        self._name_bytes = self._constant(layout.name_bytes)
        self._control_bytes = self._constant(layout.control_bytes)

    def are_plain(self) -> bool:
        """
        Whether every datagram is whole, was sent to one address of this host, and
        came with just what must go back with its answer, but for the interface.
        """
        return (
            self._flags == self._zeros
            and self._name_lengths == self._name_bytes
            and self._control_lengths == self._control_bytes
            and self._have_plain_destinations()
        )

    @abstractmethod
    def _have_plain_destinations(self) -> bool:
        """Whether ``pktinfo.answer`` would just clear the interface of each."""

    @abstractmethod
    def have_plain_sources(self) -> bool:
        """
        Whether every source is a single host's address beyond doubt; where not,
        ``policy.source.is_single_host`` decides.
        """

    def prepare_answers(self) -> None:
        """Make of each datagram that is plain an answer to it."""
        self._answer_lengths[:] = self._lengths
        # As pktinfo.answer does: the answer follows the routing table.
        self._interfaces[:] = self._zeros

    def common_length(self) -> int | None:
        """
        Returns:
            The length of each datagram, if there are several, and their answers differ
            in nothing but their bytes: all came from one source, to one address.
        """
        if self._count == 1:
            return None
        if self._next_lengths == self._last_lengths and self._slots.are_of_one_peer(
            self._count
        ):
            return self._lengths[0]
        return None

    def ports(self) -> "array[int]":
        """The port of each source."""
        ports = array("H", self._ports.tobytes())
        if sys.byteorder == "little":  # pragma: no branch
            ports.byteswap()
        return ports

    def _of_messages(self, field: int) -> "memoryview[int]":
        return self._column("I", self._slots.received + field, MESSAGE_BYTES)

    def _of_names(self, kind: _Kind, field: int) -> "memoryview[int]":
        return self._column(kind, self._slots.names + field, NAME_STRIDE)

    def _of_information(self, kind: _Kind, field: int) -> "memoryview[int]":
        begin = self._slots.controls + pktinfo.HEADER_BYTES + field
        return self._column(kind, begin, self._slots.layout.control_bytes)

    def _column(self, kind: _Kind, begin: int, stride: int) -> "memoryview[int]":
        whole = self._slots.view.cast(kind)
        size = whole.itemsize
        end = begin + self._count * stride
        return whole[begin // size : end // size : stride // size]

    def _constant(self, value: int) -> "memoryview[int]":
        return memoryview(array("I", [value] * self._count))


class IPv4Columns(Columns):
    """Columns of datagrams over an IPv4 socket."""

    _INTERFACE = pktinfo.IPV4_INTERFACE

    def __init__(self, slots: Slots, count: int) -> None:
        super().__init__(slots, count)
        self._local = self._of_information("I", pktinfo.IPV4_LOCAL)
        self._asked = self._of_information("I", pktinfo.IPV4_ASKED)
        self._hosts = self._of_names("B", _IPV4_HOST)

    def _have_plain_destinations(self) -> bool:
        return pktinfo.are_plain_ipv4(self._local, self._asked)

    def have_plain_sources(self) -> bool:
        return source.are_single_hosts_ipv4(self._hosts.tobytes())


class IPv6Columns(Columns):
    """Columns of datagrams over an IPv6 socket, which may take IPv4 as well."""

    _INTERFACE = pktinfo.IPV6_INTERFACE

    def __init__(self, slots: Slots, count: int) -> None:
        super().__init__(slots, count)
        self._asked = self._of_information("B", pktinfo.IPV6_ASKED)
        self._hosts, self._markers, self._ends = (
            self._of_names("B", _IPV6_HOST + index) for index in (0, 10, 15)
        )

    def _have_plain_destinations(self) -> bool:
        return pktinfo.are_plain_ipv6(self._asked.tobytes())

    def have_plain_sources(self) -> bool:
        return source.are_single_hosts_ipv6(
            self._hosts.tobytes(), self._markers.tobytes(), self._ends.tobytes()
        )


def columns(slots: Slots, count: int) -> Columns:
    """The columns of the first ``count`` slots."""
    kind = IPv4Columns if slots.layout is IPV4 else IPv6Columns
    return kind(slots, count)
