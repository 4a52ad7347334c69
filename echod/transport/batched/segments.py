"""
Many datagrams to one peer as one message, which the system cuts up again.

The peer gets the very datagrams that single messages would have brought, while the
network's layers are passed once. Sources: udp(7), UDP_SEGMENT; net/ipv4/udp.c of Linux.
"""

import ctypes
import errno
import socket
import struct

from . import mmsg
from .slots import Slots

#: From linux/udp.h. Linux before 4.18 does not know it, and would send a message whole.
UDP_SEGMENT = 103

#: What a frame of 1,500 bytes carries over IPv6, whose header has 40 and UDP's has 8.
#: The system takes segments only of what need not be fragmented.
MAX_SEGMENT_BYTES = 1500 - 40 - 8

#: All segments together must fit into one datagram; IPv4's carries less.
MAX_BYTES = 65_507

# This way to the peer is none for segments, but may be one for datagrams: its MTU is
# smaller, or its interface does not compute checksums.
_NOT_THIS_WAY = frozenset(
    {errno.EINVAL, errno.EMSGSIZE, errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT}
)

# cmsg(3): length, level, type; and then the length of a segment, in 16 bits.
_CMSG = struct.Struct("@Nii")
_SEGMENT = (socket.IPPROTO_UDP, UDP_SEGMENT)
_LENGTH_BYTES = 2


def can_segment(opened: socket.socket) -> bool:
    """Whether the system cuts up messages of this socket."""
    try:
        opened.getsockopt(socket.IPPROTO_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True


class Segments:
    """
    Answers of ``slots`` that differ in nothing but their bytes, as one message.

    Args:
        slots: where the answers are; the first one says where to, and where from.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        begin, room = slots.controls, slots.layout.control_bytes
        self._first_information = slots.view[begin : begin + room]
        control = bytearray(room + socket.CMSG_SPACE(_LENGTH_BYTES))
        _CMSG.pack_into(control, room, _CMSG.size + _LENGTH_BYTES, *_SEGMENT)
        self._information = memoryview(control)[:room]
        length_at = room + _CMSG.size
        self._length = memoryview(control)[length_at : length_at + _LENGTH_BYTES].cast(
            "H"
        )
        self._message = mmsg.Message(slots.answer(0).header)
        self._header = self._message.header
        self._header.control = ctypes.addressof(ctypes.c_char.from_buffer(control))
        self._header.control_length = len(control)
        self._reference = ctypes.byref(self._message)

    def send(self, descriptor: int, count: int, length: int) -> bool:
        """
        Send the first answers, all or none of them, without waiting.

        Args:
            descriptor: of a socket that ``can_segment``.
            count: how many answers, 1 to 64.
            length: of each of them, in bytes.

        Returns:
            True and they are sent, or False: they must be sent as they are.

        Raises:
            OSError: none was sent; BlockingIOError if there is no room.
        """
        if not (0 < length <= MAX_SEGMENT_BYTES and count * length <= MAX_BYTES):
            return False
        self._information[:] = self._first_information
        self._length[0] = length
        self._header.buffer_count = count
        try:
            self._slots.send(descriptor, self._reference, 1)
        except OSError as error:
            if error.errno in _NOT_THIS_WAY:
                return False
            raise
        return True
