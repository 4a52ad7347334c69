"""Version 2 of the PROXY protocol: binary."""

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from .crc32c import crc32c
from .header import BadHeader, Header, HostPort, host_port

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

#: What comes before the addresses: the signature, a byte for version and command, one
#: for family and transport, and the length of the rest.
FIXED_BYTES = 16

#: The longest rest that is taken; the format has room for 65,535. With every TLV that
#: haproxy and the clouds send, certificates apart, it is a few hundred.
MAX_REST_BYTES = 4096

_VERSION = 2
_LOCAL, _PROXY = 0, 1
_UNSPECIFIED, _INET, _INET6, _UNIX = range(4)

# Both addresses, and both ports where there are some, by family.
_ADDRESSES = {
    _UNSPECIFIED: struct.Struct(""),
    _INET: struct.Struct("!4s4sHH"),
    _INET6: struct.Struct("!16s16sHH"),
    _UNIX: struct.Struct("!108s108s"),
}
_LAST_TRANSPORT = 2  # After unspecified and stream: datagram.

_TLV = struct.Struct("!BH")
_TLV_CRC32C = 3
_CRC32C_BYTES = 4


def parse(data: bytes) -> Header | None:
    """
    Args:
        data: begins with ``SIGNATURE``.

    Returns:
        The header that ``data`` begins with; None where more of it is needed.

    Raises:
        BadHeader: it is none, whatever comes.
    """
    family = _family(data)
    if len(data) < FIXED_BYTES:
        return None
    rest_bytes = int.from_bytes(data[FIXED_BYTES - 2 : FIXED_BYTES])
    addresses = _ADDRESSES[family]
    if not addresses.size <= rest_bytes <= MAX_REST_BYTES:
        raise BadHeader("length")
    size_bytes = FIXED_BYTES + rest_bytes
    if len(data) < size_bytes:
        return None
    if family == _UNSPECIFIED:
        return Header(version=2, size_bytes=size_bytes)
    header = data[:size_bytes]
    _check_tlvs(header, FIXED_BYTES + addresses.size)
    source, destination = _ends(family, addresses.unpack_from(header, FIXED_BYTES))
    return Header(
        version=2, size_bytes=size_bytes, source=source, destination=destination
    )


def _family(data: bytes) -> int:
    """
    Which addresses there are. None when the balancer speaks for itself: then whatever
    is there counts for nothing, the family too; and none over a transport that it
    does not specify.
    """
    begin = len(SIGNATURE)
    if len(data) <= begin:
        return _UNSPECIFIED
    version, command = divmod(data[begin], 16)
    if version != _VERSION:
        raise BadHeader("version")
    if command not in (_LOCAL, _PROXY):
        raise BadHeader("command")
    if command == _LOCAL or len(data) == begin + 1:
        return _UNSPECIFIED
    family, transport = divmod(data[begin + 1], 16)
    if family not in _ADDRESSES or transport > _LAST_TRANSPORT:
        raise BadHeader("family")
    return family if transport else _UNSPECIFIED


def _check_tlvs(header: bytes, begin: int) -> None:
    """
    See that what comes after the addresses is one TLV after another.

    A checksum is checked; a second one would cost as much again for nothing, and is
    refused.
    """
    checksum_at = None
    while begin < len(header):
        value = begin + _TLV.size
        if value > len(header):
            raise BadHeader("tlv")
        kind, value_bytes = _TLV.unpack_from(header, begin)
        begin = value + value_bytes
        if begin > len(header):
            raise BadHeader("tlv")
        if kind == _TLV_CRC32C:
            if checksum_at is not None or value_bytes != _CRC32C_BYTES:
                raise BadHeader("tlv")
            checksum_at = value
    if checksum_at is not None:
        _check_checksum(header, checksum_at)


def _check_checksum(header: bytes, begin: int) -> None:
    end = begin + _CRC32C_BYTES
    unsigned = header[:begin] + bytes(_CRC32C_BYTES) + header[end:]
    if crc32c(unsigned) != int.from_bytes(header[begin:end]):
        raise BadHeader("checksum")


def _ends(
    family: int, fields: tuple[Any, ...]
) -> tuple[HostPort | bytes, HostPort | bytes]:
    """Both ends of the connection."""
    if family == _UNIX:
        source, destination = fields
        return _path(source), _path(destination)
    address = IPv4Address if family == _INET else IPv6Address
    source, destination, source_port, destination_port = fields
    return (
        host_port(address(source), source_port),
        host_port(address(destination), destination_port),
    )


def _path(field: bytes) -> bytes:
    """The name of a UNIX socket, from the field that zeros fill up; see unix(7)."""
    # The first byte of an abstract name is 0.
    return field.rstrip(b"\0") if field.startswith(b"\0") else field.split(b"\0")[0]
