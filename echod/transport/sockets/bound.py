"""Sockets of a server, bound to their addresses."""

import errno
import socket

from ...errors import (
    EX_NOPERM,
    EX_OSERR,
    EX_UNAVAILABLE,
    CannotListen,
    UnknownHost,
    explain,
)
from ...wire.listener import Endpoint, Listener
from .resolve import SocketAddress, resolve

_SOCKET_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

# Why a bind fails: what would be right, and the exit code.
_PRIVILEGED = ("a port above 1023, or the right to bind this one", EX_NOPERM)
_REMEDIES = {
    errno.EADDRINUSE: ("a port that nothing else listens on", EX_UNAVAILABLE),
    errno.EADDRNOTAVAIL: ("an address of this host", EX_UNAVAILABLE),
    errno.EAFNOSUPPORT: ("an address family that this host has", EX_UNAVAILABLE),
    errno.EACCES: _PRIVILEGED,
    errno.EPERM: _PRIVILEGED,
}


def address_of(listener: Listener) -> tuple[socket.AddressFamily, SocketAddress]:
    """
    Returns:
        The address family and the address that the listener means.

    Raises:
        CannotListen: its host has no address.
    """
    try:
        return resolve(listener.host, listener.port, _SOCKET_TYPES[listener.protocol])
    except UnknownHost as error:
        wanted = "a name or address of this host"
        raise CannotListen(listener, str(error), wanted, EX_UNAVAILABLE) from error


def open_socket(listener: Listener) -> socket.socket:
    """
    Returns:
        A non-blocking socket that is bound, and that listens if it is TCP. An IPv6
        socket takes IPv6 only, so that one for each family may share a port.

    Raises:
        CannotListen: the system will not have it; nothing is left open.
    """
    family, address = address_of(listener)
    try:
        opened = socket.socket(family, _SOCKET_TYPES[listener.protocol])
        try:
            _bind(opened, listener, address)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        raise cannot_listen(listener, error) from error
    return opened


def _bind(opened: socket.socket, listener: Listener, address: SocketAddress) -> None:
    opened.setblocking(False)
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if listener.protocol == "tcp":
        # Connections of an earlier run that linger in TIME-WAIT must not stop us.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(address)
    if listener.protocol == "tcp":
        opened.listen(listener.backlog)


def cannot_listen(listener: Listener | Endpoint, error: BaseException) -> CannotListen:
    """
    Returns:
        What the failure of one system call, or of an endpoint, means to the person
        who asked for the listener.
    """
    number = getattr(error, "errno", 0)
    wanted, exit_code = _REMEDIES.get(number, ("a working listener", EX_OSERR))
    return CannotListen(listener, explain(error), wanted, exit_code)
