"""One place of a service: listeners with the same terms, and what serves there."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)

from ..echo.datagram import EchoDatagramProtocol
from ..echo.factory import EchoFactory
from ..echo.idle import IdleSweep
from ..echo.log import ConnectionLog
from ..errors import ConfigError, shown
from ..settings import ListenerSettings
from ..transport.choice import Transports
from ..transport.datagram import DatagramPort
from ..transport.endpoint import make_endpoint, open_endpoint
from ..transport.opening import Opening
from ..transport.owed import owed_bytes
from ..transport.sockets.inherited import InheritedSockets
from ..transport.sockets.opened import Opened, open_all, resolved
from ..wire.listener import AnyListener, Endpoint, OwnListener
from .guards import Guards
from .stages import Stages


class Place:
    """
    Listeners with the same terms, and all that serves there.

    Args:
        settings: what to listen on, and the terms.
        transports: runs what is open.
        opening: where connections wait until they are open.
        inherited: the sockets that there are already.
        log: what is said of connections; None for nothing.

    Attributes:
        streams: the factory of the connections, with their counters.
        datagrams: the protocol and the port of each datagram listener, with their
            counters.
        stages: what comes before the echo, with its counters.

    Raises:
        ConfigError: a listener cannot be what it says.
    """

    def __init__(
        self,
        settings: ListenerSettings,
        transports: Transports,
        opening: Opening,
        inherited: InheritedSockets,
        log: ConnectionLog | None,
    ) -> None:
        self._transports = transports
        self._inherited = inherited
        self.streams = EchoFactory(
            log_connections=False, log=log, idle_sweep=_idle_sweep(settings)
        )
        self.datagrams: list[tuple[EchoDatagramProtocol, DatagramPort]] = []
        self.stages = Stages(settings, opening)
        self._factories: dict[OwnListener, IProtocolFactory] = {}
        # One may be there twice: two ports that the system chooses.
        self._listeners: list[OwnListener] = []
        self._endpoints: list[tuple[Endpoint, IStreamServerEndpoint]] = []
        for listener in settings.listeners:
            if not isinstance(listener, Endpoint):
                self._listeners.append(listener)
                if listener not in self._factories:
                    before = self.stages.before(self.streams, listener)
                    self._factories[listener] = before
            elif settings.proxy_protocol:
                place = f"listen {shown(listener)}"
                wanted = "a listener that echod opens itself"
                msg = f"{place}: no PROXY header can be read there; want {wanted}"
                raise ConfigError(msg)
            else:
                made = make_endpoint(listener, transports.reactor)
                self._endpoints.append((listener, made))

    def resolved(self) -> list[str]:
        """
        Returns:
            A line for each socket that would be opened: its listener, what that means
            here, and the terms of its connections. Nothing is opened.

        Raises:
            CannotListen: a listener means nothing here.
        """
        lines = [
            f"{listener} is {meaning}{self.stages.terms(listener)}"
            for listener in self._listeners
            for meaning in resolved(listener, self._inherited)
        ]
        return lines + [
            f"{endpoint} is opened by Twisted" for endpoint, _ in self._endpoints
        ]

    def bind(self, undo: ExitStack) -> list[Opened]:
        """
        Args:
            undo: is given what closes the sockets again.

        Returns:
            The sockets of the listeners that echod opens itself.

        Raises:
            CannotListen: one of them cannot be had.
            ConfigError: the owner of a UNIX socket does not exist.
        """
        found = []
        for listener in self._listeners:
            for opened in open_all(listener, self._inherited):
                undo.callback(opened.close)
                found.append(opened)
        return found

    def open_endpoints(
        self, opened: Callable[[IListeningPort, AnyListener], None]
    ) -> list[Deferred[IListeningPort]]:
        """
        Open the listeners that Twisted opens.

        Args:
            opened: told of each port that is open and of its listener, now or later.

        Raises:
            CannotListen: one of them cannot be had.
        """
        return [
            open_endpoint(made, endpoint, self.streams, opened)
            for endpoint, made in self._endpoints
        ]

    def serve(self, opened: Opened, guards: Guards) -> IListeningPort:
        """
        Args:
            opened: one of the sockets of ``bind``.
            guards: know the sources of datagrams that get no answer.

        Returns:
            An open port on it, which closes it.
        """
        if opened.socket.type == socket.SOCK_STREAM:
            factory = self._factories[opened.asked]
            return self._transports.serve_stream(opened.socket, factory)
        protocol = EchoDatagramProtocol(guards.of(opened))
        port = self._transports.serve_datagrams(opened.socket, protocol)
        self.datagrams.append((protocol, port))
        return port


def _idle_sweep(settings: ListenerSettings) -> IdleSweep | None:
    if not settings.idle_timeout:
        return None
    return IdleSweep(settings.idle_timeout, lambda it: owed_bytes(it.transport))
