"""
Which address a datagram was sent to, and how to answer from that address.

Linux tells it in a control message beside the datagram, and takes the same message
beside the answer. Sources: ip(7) IP_PKTINFO, ipv6(7) and RFC 3542 section 6.
"""

#: A control message as recvmsg gives it and sendmsg takes it: level, type, data.
ControlMessage = tuple[int, int, bytes]

IPPROTO_IP = 0
IPPROTO_IPV6 = 41

# Linux's numbers, which Python's socket module does not name before 3.14.
IP_PKTINFO = 8
IPV6_RECVPKTINFO = 49
IPV6_PKTINFO = 50

_NO_INTERFACE = bytes(4)

# RFC 4291 section 2.4: ff00::/8 and fe80::/10.
_MULTICAST = 0xFF
_LINK_LOCAL = b"\xfe\x80"


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
    # struct in_pktinfo { int ipi_ifindex; in_addr ipi_spec_dst, ipi_addr; }:
    # the address to answer from, and the one in the header. They differ just
    # where the header's is a broadcast or multicast address.
    local, asked = data[4:8], data[8:12]
    return _NO_INTERFACE + local + asked if local == asked else None


def _answer_ipv6(data: bytes) -> bytes | None:
    # struct in6_pktinfo { in6_addr ipi6_addr; unsigned ipi6_ifindex; }
    asked = data[:16]
    if asked[0] == _MULTICAST:
        return None
    # A link-local address means nothing without its interface (RFC 4007).
    is_link_local = asked[0] == _LINK_LOCAL[0] and asked[1] & 0xC0 == _LINK_LOCAL[1]
    return data if is_link_local else asked + _NO_INTERFACE
