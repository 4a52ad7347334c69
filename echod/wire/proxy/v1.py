"""Version 1 of the PROXY protocol: a line of text."""

import re
from ipaddress import IPv4Address, IPv6Address

from .header import BadHeader, Header, HostPort, host_port

SIGNATURE = b"PROXY "

#: The longest line, with its CRLF.
MAX_BYTES = 107

_END = b"\r\n"

# After this word there may be anything.
_UNKNOWN = b"UNKNOWN"

_Address = type[IPv4Address] | type[IPv6Address]

_MAX_PORT = 65_535
_PORT = rb"(?:0|[1-9][0-9]{0,4})"


def _beginning(address: bytes) -> re.Pattern[bytes]:
    """Two addresses, two ports and a CR, or as much of them as there is yet."""
    steps = (address, b" ", address, b" ", _PORT, b" ", _PORT, b"\r")
    pattern = b""
    for step in reversed(steps):
        pattern = b"(?:%b%b)?" % (step, pattern)
    return re.compile(pattern)


# The longest address as text: RFC 4291 section 2.2 allows a dotted quad at the end.
_FAMILIES: dict[bytes, tuple[re.Pattern[bytes], _Address]] = {
    b"TCP4 ": (_beginning(rb"[0-9.]{1,15}"), IPv4Address),
    b"TCP6 ": (_beginning(rb"[0-9A-Fa-f:.]{1,45}"), IPv6Address),
}


def parse(data: bytes) -> Header | None:
    """
    Args:
        data: begins with ``SIGNATURE``.

    Returns:
        The header that ``data`` begins with; None where more of it is needed.

    Raises:
        BadHeader: it is none, whatever comes.
    """
    line = data[:MAX_BYTES]
    family = _family(line)
    end = line.find(_END)
    if family in _FAMILIES:
        beginning, address = _FAMILIES[family]
        # The CR must stand after the last port and nowhere else.
        so_far = line if end < 0 else line[: end + 1]
        if not beginning.fullmatch(so_far, len(SIGNATURE + family)):
            raise BadHeader("address")
    if end < 0:
        if len(line) == MAX_BYTES:
            raise BadHeader("length")
        return None
    size_bytes = end + len(_END)
    if family == _UNKNOWN:
        return Header(version=1, size_bytes=size_bytes)
    source, destination = _ends(line[len(SIGNATURE + family) : end], address)
    return Header(
        version=1, size_bytes=size_bytes, source=source, destination=destination
    )


def _family(line: bytes) -> bytes:
    """The word after the signature, with its space; empty where it has not come."""
    begin = len(SIGNATURE)
    words = (*_FAMILIES, _UNKNOWN)
    for word in words:
        if line.startswith(word, begin):
            return word
    if not any(word.startswith(line[begin:]) for word in words):
        raise BadHeader("family")
    return b""


def _ends(text: bytes, address: _Address) -> tuple[HostPort, HostPort]:
    """Both ends of the connection."""
    source, destination, *ports = text.decode().split(" ")
    source_port, destination_port = map(int, ports)
    if max(source_port, destination_port) > _MAX_PORT:
        raise BadHeader("address")
    try:
        return (
            host_port(address(source), source_port),
            host_port(address(destination), destination_port),
        )
    except ValueError:
        raise BadHeader("address") from None
