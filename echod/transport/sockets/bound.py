"""Sockets of a server, bound to their addresses."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack

from attrs import evolve

from ...errors import (
    EX_NOPERM,
    EX_OSERR,
    EX_UNAVAILABLE,
    CannotListen,
    UnknownHost,
    explain,
)
from ...wire.address import BROADCAST, each_port
from ...wire.inet import Listener
from .resolve import SocketAddress, UnknownService, port_of, resolve

_SOCKET_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

# Every address, one socket a family: an IPv6 socket takes IPv6 only.
_EVERY_ADDRESS = (
    (socket.AF_INET, ("0.0.0.0",)),  # noqa: S104 - it was asked for
    (socket.AF_INET6, ("::",)),
)

# A host may be without IPv6.
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

# How often a port is sought that is free in both families.
_TRIES = 20

# Why a bind fails: what would be right, and the exit code.
_PRIVILEGED = ("a port above 1023, or the right to bind this one", EX_NOPERM)
_REMEDIES = {
    errno.EADDRINUSE: ("a port that nothing else listens on", EX_UNAVAILABLE),
    errno.EADDRNOTAVAIL: ("an address of this host", EX_UNAVAILABLE),
    errno.EAFNOSUPPORT: ("an address family that this host has", EX_UNAVAILABLE),
    errno.EACCES: _PRIVILEGED,
    errno.EPERM: _PRIVILEGED,
    errno.EMFILE: ("fewer ports, or a higher limit of open files", EX_OSERR),
}

#: A listener of one address and one port, and its socket.
Bound = tuple[Listener, socket.socket]


def each_address(
    listener: Listener,
) -> Iterator[list[tuple[socket.AddressFamily, SocketAddress]]]:
    """
    Yields:
        For each port of ``listener``, the address families and the addresses that it
        means: both families where its host is empty.

    Raises:
        CannotListen: its host has no address, or not one for TCP; or its port is no
            service.
    """
    if (listener.protocol, listener.host) == ("tcp", BROADCAST):
        # Linux binds a socket there, to which nobody can connect.
        reason, wanted = "nobody can connect to it", "an address of this host"
        raise CannotListen(listener, reason, wanted, EX_UNAVAILABLE)
    kind = _SOCKET_TYPES[listener.protocol]
    for port in each_port(listener.port):
        try:
            number = port_of(port, kind)
            if listener.host:
                yield [resolve(listener.host, number, kind)]
            else:
                yield [(family, (*host, number)) for family, host in _EVERY_ADDRESS]
        except UnknownService as error:
            wanted = "a number, or a name that services(5) has"
            raise CannotListen(listener, str(error), wanted, error.exit_code) from error
        except UnknownHost as error:
            wanted = "a name or address of this host"
            raise CannotListen(listener, str(error), wanted, EX_UNAVAILABLE) from error


def open_sockets(listener: Listener) -> list[Bound]:
    """
    Returns:
        A non-blocking socket for each port and each address family of ``listener``,
        bound, and listening if it is TCP; each with a listener that says where. An
        IPv6 socket takes IPv6 only, so that one for each family may share a port.

    Raises:
        CannotListen: the system will not have one of them; nothing is left open.
    """
    with ExitStack() as undo:
        bound: list[Bound] = []
        for addresses in each_address(listener):
            for it in _open_together(listener, addresses):
                bound.append(it)
                undo.callback(it[1].close)
        undo.pop_all()
    return bound


def _open_together(
    listener: Listener, addresses: list[tuple[socket.AddressFamily, SocketAddress]]
) -> list[Bound]:
    """Sockets on one port; where the system chooses it, it chooses once."""
    chooses = addresses[0][1][1] == 0
    for _ in range(_TRIES - 1 if chooses else 0):
        try:
            return _try_together(listener, addresses)
        except CannotListen as error:
            # What the system chose for one family may be taken in the other.
            if getattr(error.__cause__, "errno", 0) != errno.EADDRINUSE:
                raise
    return _try_together(listener, addresses)


def _try_together(
    listener: Listener, addresses: list[tuple[socket.AddressFamily, SocketAddress]]
) -> list[Bound]:
    with ExitStack() as undo:
        bound: list[Bound] = []
        for family, (host, port, *rest) in addresses:
            number = port or (bound[0][0].port if bound else 0)
            # The system's form of an address is without its zone.
            told = listener.host if "%" in listener.host else host
            actual = evolve(listener, host=told, port=number)
            try:
                opened = _open(actual, family, (host, number, *rest))
            except OSError as error:
                if bound and error.errno in _NO_FAMILY:
                    continue
                raise cannot_listen(actual, error) from error
            undo.callback(opened.close)
            number = opened.getsockname()[1]
            bound.append((evolve(actual, port=number), opened))
        undo.pop_all()
    return bound


def _open(
    listener: Listener, family: socket.AddressFamily, address: SocketAddress
) -> socket.socket:
    opened = socket.socket(family, _SOCKET_TYPES[listener.protocol])
    try:
        _bind(opened, listener, address)
    except OSError:
        opened.close()
        raise
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


def cannot_listen(listener: object, error: BaseException) -> CannotListen:
    """
    Args:
        listener: what was asked for.
        error: what the system said.

    Returns:
        What the failure of one system call, or of an endpoint, means to the person
        who asked for the listener.
    """
    number = getattr(error, "errno", 0)
    wanted, exit_code = _REMEDIES.get(number, ("a working listener", EX_OSERR))
    return CannotListen(listener, explain(error), wanted, exit_code)
