"""Ports for UNIX stream sockets that are bound already."""

import socket
from typing import Any, Self

from twisted.internet import tcp, unix
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocolFactory, IReactorFDSet
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from .eager import EagerServer


class _Listening(socket.socket):
    """
    A socket whose ``accept`` tells the client's name as the only one of a tuple.

    Twisted takes what is four long for an IPv6 address, which a name may be.
    """

    def accept(self) -> tuple[socket.socket, tuple[str | bytes]]:
        opened, name = super().accept()
        return opened, (name,)


class _InOrder:
    """
    A connection that has ended in order when its peer is gone and all was sent.

    A UNIX peer that has closed its socket looks broken off from then on, also to who
    has nothing left to do but to close as well.
    """

    def connectionLost(self, reason: Failure) -> None:
        link: Any = self
        is_sent = not (link.dataBuffer or link._tempDataLen)  # noqa: SLF001 - its own
        if link.disconnecting and is_sent and reason.check(ConnectionLost):
            reason = Failure(CONNECTION_DONE)
        super().connectionLost(reason)  # type: ignore[misc]  # a mixin's


class UnixServer(_InOrder, unix.Server):
    """Twisted's connection over a UNIX socket, which ends in order."""


class UnixPort(unix.Port):
    """
    A port on a UNIX socket that listens, and whose name is somebody else's business.

    Twisted's own, on a socket that it is given, sets the mode of the file to 666 and
    the backlog to 50; at its end it shuts the socket down, for other processes that
    have it as well, and removes the file, or fails where it has gone. This one does
    none of it. Its connections are Twisted's.
    """

    #: Makes the transports of its connections.
    connection: Any = UnixServer

    # It may be another process's as well.
    _shouldShutdown = False

    @classmethod
    def from_descriptor(
        cls, descriptor: int, factory: IProtocolFactory, reactor: IReactorFDSet
    ) -> Self:
        """
        Args:
            descriptor: of a non-blocking UNIX socket that listens; it is duplicated.
            factory: makes the protocols of its connections.
            reactor: who says when a socket is ready.

        Returns:
            A port that is not listening yet.
        """
        port: Self = cls._fromListeningDescriptor(reactor, descriptor, factory)
        return port

    def startListening(self) -> None:
        # As tcp.Port's, which would ask for a port number.
        tcp._reservedFD.reserve()  # noqa: SLF001 - for accept where files run out
        given: Any = self._preexistingSocket
        self._preexistingSocket = None
        opened = _Listening(fileno=given.detach())
        factory: Any = self.factory
        factory.doStart()
        self.connected = True
        self.socket = opened
        self.fileno = opened.fileno  # type: ignore[method-assign]  # as Twisted's
        self.numberAccepts = 100
        self.startReading()

    def _buildAddr(self, name: Any) -> UNIXAddress:
        # A client's, or the port's own.
        return UNIXAddress((name[0] or None) if isinstance(name, tuple) else name)

    def transport(  # type: ignore[override]  # called as the class that it was
        self, sock: socket.socket, protocol: Any, name: tuple[str | bytes], *more: Any
    ) -> Any:
        """One of the port's connections."""
        return self.connection(sock, protocol, name[0], *more)

    def connectionLost(self, reason: Failure) -> None:
        tcp.Port.connectionLost(self, reason)


class EagerUnixServer(_InOrder, EagerServer):
    """
    A connection over a UNIX socket that sends what is written at once.

    File descriptors that its peer sends along are dropped by the system, and cost
    nothing; it sends none itself. For protocols that pass descriptors there is
    Twisted's ``unix.Server``.
    """

    def __init__(
        self, sock: socket.socket, protocol: Any, client: str | bytes, *more: Any
    ) -> None:
        super().__init__(sock, protocol, (client, None), *more)

    getHost = unix.Server.getHost
    getPeer = unix.Server.getPeer
    getTcpNoDelay = unix.Server.getTcpNoDelay
    setTcpNoDelay = unix.Server.setTcpNoDelay


class EagerUnixPort(UnixPort):
    """A ``UnixPort`` whose connections send at once; see ``EagerUnixServer``."""

    connection = EagerUnixServer
