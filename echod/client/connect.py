"""From a target to a connection that is open."""

import os
import socket
from collections.abc import Callable

from twisted.internet import error
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from twisted.internet.interfaces import (
    IReactorFDSet,
    IReactorTime,
    IReactorUNIX,
    IStreamClientEndpoint,
)

from ..errors import CannotReach, UnknownHost
from ..transport.sockets.resolve import UnknownService, port_of
from ..transport.tls import factory as tls
from ..transport.tls.client import ClientContext
from ..transport.tls.failure import HandshakeFailed
from ..wire.local import system_name
from ..wire.target import AnyTarget, Target, UnixTarget
from .connection import Connection


async def connect(
    target: AnyTarget,
    received: Callable[[bytes], object],
    timeout_s: float,
    reactor: IReactorFDSet,
    context: ClientContext | None = None,
) -> Connection:
    """
    Args:
        target: an echo service over streams.
        received: called with each piece of the answer; it may raise OSError.
        timeout_s: how long the connection may take, and the TLS handshake.
        reactor: runs the exchange.
        context: whom to believe over TLS; by default those that the system does.

    Returns:
        A connection that is open.

    Raises:
        UnknownHost: the host has no address, or the port is no service.
        CannotReach: nothing listens there, or not within ``timeout_s``, or it is not
            who it should be.
    """
    client = Connection(target, received, reactor)
    endpoint = _endpoint(target, timeout_s, reactor)
    try:
        if isinstance(target, Target) and target.protocol == "tls":
            await tls.connect(
                endpoint,
                client,
                (context or ClientContext()).connection(target.host),
                timeout_s=timeout_s,
                clock=IReactorTime(reactor),
            )
        else:
            await connectProtocol(endpoint, client)
    except (error.DNSLookupError, ValueError) as failure:
        msg = f"{target}: the host does not resolve; want a name or address that does"
        raise UnknownHost(msg) from failure
    except error.ConnectError as failure:
        reason = _reason(failure)
        msg = f"{target}: {reason}; want an echo service that listens there"
        raise CannotReach(msg) from failure
    except HandshakeFailed as failure:
        # What is wrong with a name comes with the name that is wanted.
        is_told = "; want " in str(failure)
        wanted = "" if is_told else "; want a TLS service that can be trusted"
        raise CannotReach(f"{target}: {failure}{wanted}") from failure
    return client


def _endpoint(
    target: AnyTarget, timeout_s: float, reactor: IReactorFDSet
) -> IStreamClientEndpoint:
    if isinstance(target, UnixTarget):
        name = system_name(target.path)
        return UNIXClientEndpoint(IReactorUNIX(reactor), name, timeout_s, False)
    port = service_port(target, socket.SOCK_STREAM)
    # Twisted's resolver drops the zone of an address.
    kind = TCP6ClientEndpoint if "%" in target.host else HostnameEndpoint
    return kind(reactor, target.host, port, timeout_s)


def service_port(target: Target, kind: socket.SocketKind) -> int:
    """
    Returns:
        The number of the port of ``target``.

    Raises:
        UnknownHost: it is no service.
    """
    try:
        return port_of(target.port, kind)
    except UnknownService as failure:
        msg = f"{target}: {failure}; want a number, or a name that services(5) has"
        raise UnknownHost(msg) from failure


def _reason(failure: error.ConnectError) -> str:
    if isinstance(failure.osError, int):
        return os.strerror(failure.osError).lower()
    return "connecting took too long"
