"""What holds for any bytes that a connection may begin with."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from echod.wire.proxy.header import BadHeader, Header, HostPort
from echod.wire.proxy.stream import MAX_BYTES, parse

#: What a header becomes: itself, or the word for why it is none, or None.
Outcome = Header | str | None

_MAX_LINE_BYTES = 107
_MAX_NAME_BYTES = 108
_MAX_PORT = 65_535

_PLAIN_LINE = re.compile(
    rb"PROXY (TCP[46] [0-9A-Fa-f:.]+ [0-9A-Fa-f:.]+ [0-9]+ [0-9]+|UNKNOWN.*)\r\n",
    re.DOTALL,
)


def outcome(data: bytes) -> Outcome:
    """What ``data`` is; any exception but ``BadHeader`` is a fault."""
    try:
        return parse(data)
    except BadHeader as error:
        return error.reason


def check(data: bytes, cut: int) -> Outcome:
    """
    Check all that must hold of ``data``.

    Args:
        data: anything.
        cut: where it is split in two, at most its length.

    Returns:
        What it is.

    Raises:
        AssertionError: something does not hold.
    """
    whole, begun = outcome(data), outcome(data[:cut])
    # What is decided stays so, whatever comes.
    assert begun in (None, whole), (begun, whole)
    if whole is None:
        assert len(data) < MAX_BYTES
    elif isinstance(whole, Header):
        _check_header(data, whole)
    return whole


def _check_header(data: bytes, header: Header) -> None:
    size_bytes = header.size_bytes
    assert outcome(data[:size_bytes]) == header
    assert outcome(data[: size_bytes - 1]) is None
    if header.version == 1:
        assert size_bytes <= _MAX_LINE_BYTES
        assert _PLAIN_LINE.fullmatch(data, 0, size_bytes)
    else:
        assert size_bytes == 16 + data[14] * 256 + data[15] <= MAX_BYTES
    assert header.is_local == (header.source is None) == (header.destination is None)
    for end in (header.source, header.destination):
        if isinstance(end, HostPort):
            _check_end(end)
        else:
            assert end is None or len(end) <= _MAX_NAME_BYTES


def _check_end(end: HostPort) -> None:
    address: IPv4Address | IPv6Address = ip_address(end.host)
    assert str(address) == end.host
    assert isinstance(address, IPv4Address) or address.ipv4_mapped is None
    assert 0 <= end.port <= _MAX_PORT
