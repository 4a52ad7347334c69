"""A UDP datagram over IPv4 that claims to come from somewhere else."""

import socket
import struct

import pytest

Address = tuple[str, int]

_IPV4_HEADER_BYTES = 20
_UDP_HEADER_BYTES = 8
_HOPS = 64


def packet(source: Address, destination: Address, payload: bytes) -> bytes:
    """
    The datagram with its headers.

    Sources: RFC 791 section 3.1; RFC 768. The kernel fills in the length, the
    identification and the checksum of IPv4 (raw(7)); a UDP checksum of 0 is none.
    """
    ipv4 = struct.pack(
        "!BxxxxxxxBBxx4s4s",
        0x45,
        _HOPS,
        socket.IPPROTO_UDP,
        socket.inet_aton(source[0]),
        socket.inet_aton(destination[0]),
    )
    length = _UDP_HEADER_BYTES + len(payload)
    udp = struct.pack("!HHHxx", source[1], destination[1], length)
    assert (_IPV4_HEADER_BYTES, _UDP_HEADER_BYTES) == (len(ipv4), len(udp))
    return ipv4 + udp + payload


def forge(source: Address, destination: Address, payload: bytes) -> None:
    """Send the datagram; skips the test where the system does not allow it."""
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError as error:
        pytest.skip(f"needs the right to open a raw socket: {error}")
    with raw:
        raw.sendto(packet(source, destination, payload), (destination[0], 0))
