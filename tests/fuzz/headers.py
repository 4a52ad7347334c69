"""Headers of the PROXY protocol, built by other means than those that read them."""

import struct
from socket import AF_INET, AF_INET6, inet_pton

SIGNATURE = bytes.fromhex("0D0A0D0A 000D0A51 5549540A")

LOCAL, PROXY = 0x20, 0x21

TCP4, UDP4, TCP6, UDP6, UNIX_STREAM, UNIX_DATAGRAM = 0x11, 0x12, 0x21, 0x22, 0x31, 0x32

#: What goes with each family: the size of a UNIX name's field for those.
FAMILIES = {TCP4: AF_INET, UDP4: AF_INET, TCP6: AF_INET6, UDP6: AF_INET6}
UNIX_BYTES = 108

CRC32C = 0x03


def line(word: str, source: str, destination: str, *ports: int) -> bytes:
    """Version 1, with any word for the family."""
    fields = ["PROXY", word, source, destination, *map(str, ports)]
    return " ".join(fields).encode() + b"\r\n"


def block(command: int, family: int, rest: bytes = b"") -> bytes:
    """Version 2, with anything after the length."""
    return SIGNATURE + struct.pack(">BBH", command, family, len(rest)) + rest


def ends(family: int, source: str, destination: str, *ports: int) -> bytes:
    """The addresses and ports of version 2."""
    addresses = [inet_pton(FAMILIES[family], it) for it in (source, destination)]
    return b"".join([*addresses, *(it.to_bytes(2, "big") for it in ports)])


def names(source: bytes, destination: bytes) -> bytes:
    """The names of UNIX sockets of version 2."""
    return source.ljust(UNIX_BYTES, b"\0") + destination.ljust(UNIX_BYTES, b"\0")


def tlv(kind: int, value: bytes) -> bytes:
    """Something more that version 2 says."""
    return struct.pack(">BH", kind, len(value)) + value


def summed(command: int, family: int, addresses: bytes, *more: bytes) -> bytes:
    """Version 2 with a checksum before what more there is."""
    before = addresses
    zero = block(command, family, before + tlv(CRC32C, bytes(4)) + b"".join(more))
    at = len(SIGNATURE) + 4 + len(before) + 3
    return zero[:at] + remainder(zero).to_bytes(4, "big") + zero[at + 4 :]


def remainder(data: bytes) -> int:
    """The CRC-32C as a division of polynomials, bit by bit: RFC 3720 section 12.1."""
    divisor = 0x1_1EDC_6F41
    bits = "".join(f"{byte:08b}"[::-1] for byte in data) + "0" * 32
    number = int(bits, 2) ^ 0xFFFF_FFFF << len(data) * 8
    for shift in range(len(bits) - 33, -1, -1):
        if number >> (shift + 32) & 1:
            number ^= divisor << shift
    return int(f"{number ^ 0xFFFFFFFF:032b}"[::-1], 2)


_LAST = "255.255.255.255"
_LONG = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
_TLVS = tlv(0x02, b"example.org") + tlv(0x05, b"id") + tlv(0x04, b"")
_TLS = tlv(0x20, b"\1\0\0\0\0" + tlv(0x21, b"TLSv1.3") + tlv(0x22, b"client"))

#: One of each form that the specification has, by what it is.
VALID = {
    "TCP4": line("TCP4", "192.168.0.1", "192.168.0.11", 56_324, 443),
    "TCP4, shortest": line("TCP4", "1.1.1.1", "0.0.0.0", 0, 0),
    "TCP4, longest": line("TCP4", _LAST, _LAST, 65_535, 65_535),
    "TCP6": line("TCP6", "2001:db8::1", "fe80::abCD:1", 1, 2),
    "TCP6, shortest": line("TCP6", "::", "::1", 0, 9),
    "TCP6, longest": line("TCP6", _LONG, _LONG, 65_535, 65_535),
    "TCP6, mapped": line("TCP6", "::ffff:10.1.2.3", "::ffff:a01:204", 4, 5),
    "UNKNOWN": b"PROXY UNKNOWN\r\n",
    "UNKNOWN, more": b"PROXY UNKNOWN \0 what\never\r this is\r\n",
    "UNKNOWN, longest": line("UNKNOWN", _LONG, _LONG, 65_535, 65_535),
    "v2 local": block(LOCAL, 0),
    "v2 local, more": block(LOCAL, 0xEE, b"whatever this is"),
    "v2 unspecified": block(PROXY, 0),
    "v2 unspecified, more": block(PROXY, 0, _TLVS + b"!"),
    "v2 unspecified transport": block(PROXY, 0x10, b"?"),
    "v2 unspecified family": block(PROXY, 0x01, b"?"),
    "v2 TCP4": block(PROXY, TCP4, ends(TCP4, "127.0.0.1", "10.0.0.255", 42, 1337)),
    "v2 UDP4": block(PROXY, UDP4, ends(UDP4, "0.0.0.0", "1.2.3.4", 0, 65_535)),
    "v2 TCP6": block(PROXY, TCP6, ends(TCP6, "2001:db8::1", "::1", 1, 2)),
    "v2 UDP6": block(PROXY, UDP6, ends(UDP6, "::", "ff02::1", 1, 2)),
    "v2 TCP6, mapped": block(
        PROXY, TCP6, ends(TCP6, "::ffff:10.1.2.3", "::ffff:1.2.3.4", 4, 5)
    ),
    "v2 UNIX": block(PROXY, UNIX_STREAM, names(b"/run/a.sock", b"x" * UNIX_BYTES)),
    "v2 UNIX, abstract": block(PROXY, UNIX_DATAGRAM, names(b"\0a\0b", b"")),
    "v2 TLVs": block(
        PROXY, TCP4, ends(TCP4, "1.2.3.4", "5.6.7.8", 1, 2) + _TLVS + _TLS
    ),
    "v2 checksum": summed(PROXY, TCP4, ends(TCP4, "1.2.3.4", "5.6.7.8", 1, 2), _TLVS),
    "v2 checksum, UNIX": summed(PROXY, UNIX_STREAM, names(b"", b"/b"), _TLS),
    "v2 longest": block(
        PROXY, TCP6, ends(TCP6, "::2", "::3", 4, 5) + tlv(0x04, bytes(4096 - 36 - 3))
    ),
}
