"""Names of hosts and services to socket addresses."""

import socket
from typing import Any

from ...errors import EX_CONFIG, EchodError, UnknownHost, explain, shown
from ...wire.address import Ports

#: An address as the socket module takes it: host and port, and more for IPv6.
SocketAddress = tuple[Any, ...]

_PROTOCOLS = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}

# RFC 862: where a host has no list of services (Debian's slim images), this much is
# known all the same.
_OWN_SERVICE = ("echo", 7)


class UnknownService(EchodError):
    """A port is named by what is no service here."""

    exit_code = EX_CONFIG


def resolve(
    host: str, port: int, kind: socket.SocketKind
) -> tuple[socket.AddressFamily, SocketAddress]:
    """
    Args:
        host: a name or an address.
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
        found = socket.getaddrinfo(host, port, type=kind)
    except (OSError, UnicodeError) as error:
        msg = f"host {shown(host)} does not resolve ({explain(error)})"
        raise UnknownHost(msg) from error
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    return family, address


def port_of(port: Ports, kind: socket.SocketKind) -> int:
    """
    Args:
        port: a number, or the name of a service.
        kind: ``SOCK_STREAM`` or ``SOCK_DGRAM``; a service may have a port for one only.

    Returns:
        The number: that of services(5).

    Raises:
        UnknownService: there is no such service; the message is the reason alone.
    """
    if isinstance(port, int):
        return port
    try:
        return socket.getservbyname(port, _PROTOCOLS[kind])
    except OSError as error:
        if port == _OWN_SERVICE[0]:
            return _OWN_SERVICE[1]
        msg = f"port {port} is no {_PROTOCOLS[kind]} service of this host"
        raise UnknownService(msg) from error
