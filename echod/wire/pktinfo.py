"""
Which address a datagram was sent to, and how to answer from that address.

Linux tells it in a control message beside the datagram, and takes the same message
beside the answer. Sources: ip(7) IP_PKTINFO, ipv6(7) and RFC 3542 section 6.
"""

import struct

#: A control message as recvmsg gives it and sendmsg takes it: level, type, data.
ControlMessage = tuple[int, int, bytes]

IPPROTO_IP = 0
IPPROTO_IPV6 = 41

# Linux's numbers, which Python's socket module does not name before 3.14.
IP_PKTINFO = 8
IPV6_RECVPKTINFO = 49
IPV6_PKTINFO = 50

# struct in_pktinfo { int ipi_ifindex; in_addr ipi_spec_dst, ipi_addr; }:
# the interface, the address to answer from, and the one in the header.
IPV4_BYTES = 12
IPV4_INTERFACE = 0
IPV4_LOCAL = 4
IPV4_ASKED = 8

# struct in6_pktinfo { in6_addr ipi6_addr; unsigned ipi6_ifindex; }
IPV6_BYTES = 20
IPV6_ASKED = 0
IPV6_INTERFACE = 16

# cmsg(3): struct cmsghdr { size_t cmsg_len; int cmsg_level, cmsg_type; }, and the
# data; the next header begins where a size_t may.
_HEADER = struct.Struct("@Nii")
HEADER_BYTES = _HEADER.size
_ALIGNMENT_BYTES = struct.calcsize("@N")

_NO_INTERFACE = bytes(4)
_UNTOLD = bytes(4)

# RFC 5771: 224.0.0.0 and up; 255.255.255.255 is above all of them.
_FIRST_MULTICAST = 224

# RFC 4291 section 2.4: ff00::/8 and fe80::/10.
_MULTICAST = 0xFF
_LINK_LOCAL = b"\xfe\x80"

# The first bytes of IPv6 addresses that are neither of these, nor look like one.
_PLAIN_IPV6 = bytes(range(0xFE))


def messages(control: bytes) -> list[ControlMessage]:
    """
    Args:
        control: control messages as the system has written them, one after another.

    Returns:
        The same as ``socket.recvmsg`` gives them.
    """
    found = []
    begin = 0
    while len(control) - begin >= HEADER_BYTES:
        length, level, kind = _HEADER.unpack_from(control, begin)
        found.append((level, kind, control[begin + HEADER_BYTES : begin + length]))
        begin += -(-max(length, HEADER_BYTES) // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
    return found


def answer(control: list[ControlMessage]) -> list[ControlMessage] | None:
    """
    Args:
        control: the control messages that came with a datagram.

    Returns:
        The control messages that make an answer leave from the address that was
        asked; an empty list where the system did not tell which one that is. None
        where the datagram was sent to many hosts, which must not all answer.
    """
    for level, kind, data in control:
        if (level, kind) == (IPPROTO_IP, IP_PKTINFO):
            source = _answer_ipv4(data)
        elif (level, kind) == (IPPROTO_IPV6, IPV6_PKTINFO):
            source = _answer_ipv6(data)
        else:
            continue
        return None if source is None else [(level, kind, source)]
    return []


# The interface is cleared so that the answer follows the routing table, which need
# not lead back through the interface of the question (as Knot DNS does it).


def _answer_ipv4(data: bytes) -> bytes | None:
    # The addresses differ where the header's is a broadcast or multicast one.
    local, asked = data[IPV4_LOCAL:IPV4_ASKED], data[IPV4_ASKED:IPV4_BYTES]
    if local == _UNTOLD and asked[0] < _FIRST_MULTICAST:
        # It came before the socket was asked to tell (an inherited one has waited for
        # its first datagram). The system sends nothing from a broadcast address.
        local = asked
    return _NO_INTERFACE + local + asked if local == asked else None


def _answer_ipv6(data: bytes) -> bytes | None:
    asked = data[:IPV6_INTERFACE]
    if asked[0] == _MULTICAST:
        return None
    # A link-local address means nothing without its interface (RFC 4007).
    is_link_local = asked[0] == _LINK_LOCAL[0] and asked[1] & 0xC0 == _LINK_LOCAL[1]
    return data if is_link_local else asked + _NO_INTERFACE


def are_plain_ipv4(local: "memoryview[int]", asked: "memoryview[int]") -> bool:
    """
    Args:
        local: for each of some datagrams, the address to answer from.
        asked: for each of them, the address in its header.

    Returns:
        Whether ``answer`` would just clear the interface of each.
    """
    return local == asked


def are_plain_ipv6(first_bytes: bytes) -> bool:
    """
    Args:
        first_bytes: of the address to which each of some datagrams was sent.

    Returns:
        True only if ``answer`` would just clear the interface of each.
    """
    return not first_bytes.translate(None, _PLAIN_IPV6)
