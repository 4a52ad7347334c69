"""
What the header of the PROXY protocol says.

Source of this and the modules beside it: "The PROXY protocol, Versions 1 & 2",
Willy Tarreau, HAProxy Technologies, as of 2026-04-27.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from attrs import frozen

from ...errors import EchodError

#: Why a header is none: it begins as neither version does; the version, the command
#: or the family (with the transport) is none that there is; the addresses and ports
#: are not well formed; it is too long, or too short for its addresses; a TLV does not
#: fit in; its checksum is another one.
Reason = Literal[
    "signature",
    "version",
    "command",
    "family",
    "address",
    "length",
    "tlv",
    "checksum",
]


class BadHeader(EchodError):
    """
    What was received is not the header of a connection, and never becomes one.

    Attributes:
        reason: one word for it.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"{reason} is wrong in a header of the PROXY protocol")
        self.reason: Reason = reason


@frozen
class HostPort:
    """
    One end of a connection over IPv4 or IPv6.

    Attributes:
        host: the address in its canonical form; IPv4 where it is mapped into IPv6.
        port: 0 to 65,535.
    """

    host: str
    port: int


@frozen(kw_only=True)
class Header:
    """
    A complete header.

    Attributes:
        version: 1 or 2.
        size_bytes: its length; the payload begins there.
        source: where the connection comes from. The name of a UNIX socket is as the
            system has it: empty for none, and with a first byte of 0 when it is
            abstract. None where the connection's own addresses are the ones that
            count, because the balancer speaks for itself or knows no others.
        destination: where it went to, in the same way.
    """

    version: int
    size_bytes: int
    source: HostPort | bytes | None = None
    destination: HostPort | bytes | None = None

    @property
    def is_local(self) -> bool:
        """Whether the connection's own addresses are the ones that count."""
        return self.source is None


def host_port(address: IPv4Address | IPv6Address, port: int) -> HostPort:
    """
    Returns:
        The end of a connection that these are.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return HostPort(str(mapped or address), port)
