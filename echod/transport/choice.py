"""Which transports a service uses."""

import socket

from attrs import frozen
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorCore,
    IReactorFDSet,
    IReactorSocket,
)
from twisted.internet.protocol import DatagramProtocol

from ..errors import CannotStart
from ..settings import Transport
from . import nested
from .batched import mmsg
from .batched.port import BatchedDatagramPort
from .datagram import DatagramPort
from .eager_unix import EagerUnixPort, UnixPort
from .nested import NestedReactor
from .unixgram import UnixDatagramPort


@frozen
class Transports:
    """
    Attributes:
        name: ``fast`` or ``stock``.
        reactor: runs the transports.
        datagram_port: the kind of port that UDP uses.
        unix_port: the kind of port that UNIX streams use.
    """

    name: str
    reactor: IReactorCore
    datagram_port: type[DatagramPort]
    unix_port: type[UnixPort]

    def serve_stream(
        self, listening: socket.socket, factory: IProtocolFactory
    ) -> IListeningPort:
        """
        Args:
            listening: a non-blocking socket that listens; the port closes it.
            factory: makes the protocols of its connections.

        Returns:
            An open port.
        """
        with listening:  # The port has a duplicate of its own.
            if listening.family == socket.AF_UNIX:
                reactor = IReactorFDSet(self.reactor)
                descriptor = listening.fileno()
                port = self.unix_port.from_descriptor(descriptor, factory, reactor)
                port.startListening()
                return port
            return IReactorSocket(self.reactor).adoptStreamPort(
                listening.fileno(),
                listening.family,
                factory,  # type: ignore[arg-type]  # any IProtocolFactory will do
            )

    def serve_datagrams(
        self, bound: socket.socket, protocol: DatagramProtocol
    ) -> DatagramPort:
        """
        Args:
            bound: a non-blocking datagram socket; the port closes it.
            protocol: who gets the datagrams.

        Returns:
            An open port.
        """
        is_unix = bound.family == socket.AF_UNIX
        kind = UnixDatagramPort if is_unix else self.datagram_port
        port = kind.from_socket(bound, protocol, IReactorFDSet(self.reactor))
        port.startListening()
        return port


def transports(wanted: Transport, reactor: IReactorCore) -> Transports:
    """
    Args:
        wanted: ``auto`` is fast where that exists, and stock elsewhere.
        reactor: runs the service.

    Raises:
        CannotStart: fast is wanted and does not exist here.
    """
    outer = IReactorFDSet(reactor, None)
    if wanted != "stock" and outer is not None and nested.is_available():
        port = BatchedDatagramPort if mmsg.is_available() else DatagramPort
        inner = IReactorCore(NestedReactor(outer))
        return Transports("fast", inner, port, EagerUnixPort)
    if wanted == "fast":
        needed = "epoll(7), and a reactor that watches file descriptors"
        msg = f"transport is fast: that needs {needed}; want auto or stock"
        raise CannotStart(msg)
    return Transports("stock", reactor, DatagramPort, UnixPort)
