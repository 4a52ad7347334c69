"""Host names to socket addresses."""

import socket
from typing import Any

from ...errors import UnknownHost, explain, shown

#: An address as the socket module takes it: host and port, and more for IPv6.
SocketAddress = tuple[Any, ...]


def resolve(
    host: str, port: int, kind: socket.SocketKind
) -> tuple[socket.AddressFamily, SocketAddress]:
    """
    Args:
        host: a name or an address; empty for every IPv4 address.
        port: 0 to 65,535.
        kind: ``SOCK_STREAM`` or ``SOCK_DGRAM``.

    Returns:
        The address family and the address that are meant. A name with several
        addresses means its first IPv4 address, or its first where it has none.
        Blocks while a name is looked up.

    Raises:
        UnknownHost: the name has no address; the message is the reason alone.
    """
    try:
        # An empty host asks for every address.
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=kind)  # noqa: S104
    except (OSError, UnicodeError) as error:
        msg = f"host {shown(host)} does not resolve ({explain(error)})"
        raise UnknownHost(msg) from error
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    return family, address
