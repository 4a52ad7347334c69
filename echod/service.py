"""Settings to a running service: assembly only."""

from contextlib import ExitStack
from socket import socket

from attrs import evolve
from twisted.application.service import Service
from twisted.internet.defer import (
    Deferred,
    TimeoutError,  # noqa: A004 - Deferred.addTimeout's, which is not Python's
    gatherResults,
    maybeDeferred,
)
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IReactorCore,
    IReactorFDSet,
    IReactorSocket,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from .echo.datagram import EchoDatagramProtocol
from .echo.factory import EchoFactory
from .echo.idle import IdleSweep
from .policy.source import SourceGuard
from .settings import Settings
from .transport.choice import transports
from .transport.datagram import DatagramPort
from .transport.endpoint import make_endpoint, open_endpoint
from .transport.owed import owed_bytes
from .transport.sockets.bound import open_socket
from .wire.listener import Endpoint, Listener

# How often connections are looked at for being idle: the time-out is right to this,
# and 10,000 connections cost 2 ms.
SWEEP_S = 1.0

# How long the end of the service waits for connections to take what they are owed.
STOP_GRACE_S = 1.0


def make_service(settings: Settings, reactor: IReactorCore) -> "EchoService":
    """
    Args:
        settings: what to listen on, and how.
        reactor: runs the service.

    Returns:
        A service that opens nothing until it is started.

    Raises:
        ConfigError: an endpoint description means nothing to Twisted.
    """
    return EchoService(settings, reactor)


class EchoService(Service):
    """
    An echo service on the listeners of its settings; ``make_service`` makes one.

    Listens from ``privilegedStartService`` on, or from ``startService`` where that
    was not called. Both raise ``CannotListen``, and leave nothing open, when one of
    the listeners cannot be had.

    Attributes:
        ports: what is open; empty unless the service runs.
        streams: the factory of its connections, with their counters.
        datagrams: the protocol and the port of each UDP listener, with their counters.
    """

    _log = Logger()

    def __init__(self, settings: Settings, reactor: IReactorCore) -> None:
        listeners = settings.listeners
        self._clock = IReactorTime(reactor)
        self._transports = transports(settings.transport, reactor)
        self._sockets = [it for it in listeners if isinstance(it, Listener)]
        self._endpoints = [
            (make_endpoint(it, self._transports.reactor), it)
            for it in listeners
            if isinstance(it, Endpoint)
        ]
        self._opening: list[Deferred[IListeningPort]] = []
        self._is_open = False
        self.ports: list[IListeningPort] = []
        self.streams = EchoFactory(
            log_connections=settings.log_connections,
            idle_sweep=_idle_sweep(settings),
        )
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = self._clock
        self.datagrams: list[tuple[EchoDatagramProtocol, DatagramPort]] = []

    @property
    def addresses(self) -> list[IAddress]:
        """Where the service listens: one address an open port."""
        return [port.getHost() for port in self.ports]

    def privilegedStartService(self) -> None:
        with ExitStack() as undo:
            bound = [
                (listener, undo.enter_context(open_socket(listener)))
                for listener in self._sockets
            ]
            undo.callback(self._stop_listening)
            for made, endpoint in self._endpoints:
                self._open_endpoint(made, endpoint)
            self._serve(bound)
            undo.pop_all()
        self._is_open = True

    def startService(self) -> None:
        if not self._is_open:
            self.privilegedStartService()
        self._sweeping.start(SWEEP_S, now=False)
        super().startService()

    def stopService(self) -> Deferred[None]:
        """
        Stop listening, then let each connection take what it is owed and close it.

        Returns:
            A Deferred that fires when nothing is open, after ``STOP_GRACE_S`` at the
            latest; connections that are still owed something are aborted then.
        """
        super().stopService()
        if self._sweeping.running:
            self._sweeping.stop()
        return Deferred.fromCoroutine(self._stop())

    def _sweep(self) -> None:
        try:
            self.streams.end_idle()
        except Exception:  # noqa: BLE001 - the next look must come all the same
            self._log.failure("cannot end idle connections")

    async def _stop(self) -> None:
        await gatherResults(self._stop_listening())
        for connection in list(self.streams.connections):
            connection.close()
        try:
            await self.streams.when_idle().addTimeout(STOP_GRACE_S, self._clock)
        except TimeoutError:
            for connection in list(self.streams.connections):
                connection.abort()
            await deferLater(self._clock, 0)
        self._log_totals()

    def _stop_listening(self) -> list[Deferred[object]]:
        self._is_open = False
        for opening in self._opening:
            opening.cancel()
        ports, self.ports, self._opening = self.ports, [], []
        return [maybeDeferred(port.stopListening) for port in ports]

    def _open_endpoint(self, made: IStreamServerEndpoint, endpoint: Endpoint) -> None:
        def opened(port: IListeningPort) -> None:
            self._opened(port, endpoint)

        self._opening.append(open_endpoint(made, endpoint, self.streams, opened))

    def _serve(self, bound: list[tuple[Listener, socket]]) -> None:
        # Every datagram port must know all of them before it takes a datagram.
        guard = SourceGuard(
            opened.getsockname()[1]
            for listener, opened in bound
            if listener.protocol == "udp"
        )
        for listener, opened in bound:
            actual = evolve(listener, port=opened.getsockname()[1])
            if listener.protocol == "tcp":
                self._opened(self._adopt_stream(opened), actual)
            else:
                self._opened(self._adopt_datagrams(opened, guard), actual)

    def _adopt_stream(self, opened: socket) -> IListeningPort:
        with opened:  # The port has a duplicate of its own.
            return IReactorSocket(self._transports.reactor).adoptStreamPort(
                opened.fileno(),
                opened.family,
                self.streams,  # type: ignore[arg-type]  # any IProtocolFactory will do
            )

    def _adopt_datagrams(self, opened: socket, guard: SourceGuard) -> IListeningPort:
        protocol = EchoDatagramProtocol(guard)
        reactor = IReactorFDSet(self._transports.reactor)
        port = self._transports.datagram_port.from_socket(opened, protocol, reactor)
        self.datagrams.append((protocol, port))
        port.startListening()
        return port

    def _opened(self, port: IListeningPort, listener: Listener | Endpoint) -> None:
        self.ports.append(port)
        self._log.info(
            "Listening on {listener}, {transport} transport",
            listener=str(listener),
            transport=self._transports.name,
        )

    def _log_totals(self) -> None:
        streams = self.streams.counters
        answered = refused = failed = 0
        for protocol, port in self.datagrams:
            unsent = port.counters.unsent.total()
            answered += protocol.counters.answered - unsent
            refused += protocol.counters.refused.total() + port.counters.to_many_hosts
            failed += protocol.counters.failed + port.counters.truncated + unsent
        self._log.info(
            "Stopped after {connections} connections with {received_bytes} bytes; "
            "datagrams: {answered} answered, {refused} refused, {failed} failed",
            connections=streams.made,
            received_bytes=streams.received_bytes,
            answered=answered,
            refused=refused,
            failed=failed,
        )


def _idle_sweep(settings: Settings) -> IdleSweep | None:
    if not settings.idle_timeout:
        return None
    return IdleSweep(settings.idle_timeout, lambda it: owed_bytes(it.transport))
