"""The service: all its places, from their opening to their end."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from twisted.application.service import Service
from twisted.internet.defer import (
    Deferred,
    DeferredList,
    gatherResults,
    maybeDeferred,
)
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IReactorCore,
    IReactorTime,
)
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from ..echo.datagram import EchoDatagramProtocol
from ..echo.factory import EchoFactory
from ..echo.log import ConnectionLog
from ..echo.protocol import EchoProtocol
from ..policy.lines import LineBudget
from ..settings import Settings
from ..transport.choice import transports
from ..transport.datagram import DatagramPort
from ..transport.opening import Opening
from ..transport.sockets.inherited import InheritedSockets
from ..wire.listener import InheritedListener
from .guards import Guards
from .place import Place
from .refusals import RefusalLog

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
        ConfigError: an endpoint description means nothing to Twisted, or a certificate
            cannot be served.
    """
    return EchoService(settings, reactor)


class EchoService(Service):
    """
    An echo service on the listeners of its settings; ``make_service`` makes one.

    Listens from ``privilegedStartService`` on, or from ``startService`` where that
    was not called. Both raise ``CannotListen``, and leave nothing open, when one of
    the listeners cannot be had; or ``ConfigError``, when the owner that a UNIX socket
    is to have does not exist.

    Attributes:
        ports: what is open; empty unless the service runs.
        places: what is listened on, each with its counters.
    """

    _log = Logger()

    def __init__(self, settings: Settings, reactor: IReactorCore) -> None:
        self._clock = IReactorTime(reactor)
        self._transports = transports(settings.transport, reactor)
        self._connecting = Opening()
        # One for all: what they say together is what fills a disk.
        log = ConnectionLog(LineBudget()) if settings.log_connections else None
        self._shared = [
            it for it in settings.listeners if isinstance(it, InheritedListener)
        ]
        # Asked for now: a daemon would no longer be told.
        self._inherited = (
            InheritedSockets.of_process() if self._shared else InheritedSockets()
        )
        self.places = [
            Place(it, self._transports, self._connecting, self._inherited, log)
            for it in settings.places
        ]
        self._refusals = RefusalLog(place.stages for place in self.places)
        self._removals: list[Callable[[], None]] = []
        self._opening: list[Deferred[IListeningPort]] = []
        self._is_open = False
        self.ports: list[IListeningPort] = []
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = self._clock

    @property
    def streams(self) -> list[EchoFactory]:
        """The factories of its connections, with their counters: one a place."""
        return [place.streams for place in self.places]

    @property
    def datagrams(self) -> list[tuple[EchoDatagramProtocol, DatagramPort]]:
        """The protocol and the port of each datagram listener, with their counters."""
        return [it for place in self.places for it in place.datagrams]

    def resolved(self) -> list[str]:
        """
        Returns:
            A line for each socket that would be opened; nothing is.

        Raises:
            CannotListen: a listener means nothing here.
        """
        if self._inherited.descriptors:
            self._inherited.share_out(self._shared)
        return [line for place in self.places for line in place.resolved()]

    @property
    def addresses(self) -> list[IAddress]:
        """Where the service listens: one address an open port."""
        return [port.getHost() for port in self.ports]

    def privilegedStartService(self) -> None:
        with ExitStack() as undo:
            self._inherited.share_out(self._shared)
            bound = [(place, it) for place in self.places for it in place.bind(undo)]
            undo.callback(self._stop_listening)
            for place in self.places:
                self._opening += place.open_endpoints(self._opened)
            # Every datagram port must know all of them before it takes a datagram.
            guards = Guards(it for _, it in bound)
            for place, it in bound:
                self._opened(place.serve(it, guards), it.at)
                self._removals.append(it.remove)
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

    @property
    def _connections(self) -> list[EchoProtocol]:
        return [it for streams in self.streams for it in streams.connections]

    def _sweep(self) -> None:
        try:
            self._connecting.end_late()
            self._refusals.say(time.monotonic())
            for place in self.places:
                place.streams.end_idle()
                place.stages.refresh()
        except Exception:  # noqa: BLE001 - the next look must come all the same
            self._log.failure("cannot look after connections")

    async def _stop(self) -> None:
        await gatherResults(self._stop_listening())
        self._connecting.abort()
        for connection in self._connections:
            connection.close()
        await DeferredList(
            [
                it.when_idle().addTimeout(STOP_GRACE_S, self._clock)
                for it in self.streams
            ],
            consumeErrors=True,
        )
        if self._connections:
            for connection in self._connections:
                connection.abort()
            await deferLater(self._clock, 0)
        self._log_totals()

    def _stop_listening(self) -> list[Deferred[object]]:
        self._is_open = False
        for opening in self._opening:
            opening.cancel()
        removals, self._removals = self._removals, []
        for remove in removals:
            remove()
        ports, self.ports, self._opening = self.ports, [], []
        return [maybeDeferred(port.stopListening) for port in ports]

    def _opened(self, port: IListeningPort, listener: object) -> None:
        self.ports.append(port)
        self._log.info(
            "Listening on {listener}, {transport} transport",
            listener=str(listener),
            transport=self._transports.name,
        )

    def _log_totals(self) -> None:
        self._refusals.say_rest(time.monotonic())
        answered = refused = failed = 0
        for protocol, port in self.datagrams:
            unsent = port.counters.unsent.total()
            answered += protocol.counters.answered - unsent
            refused += protocol.counters.refused.total() + port.counters.to_many_hosts
            failed += protocol.counters.failed + port.counters.truncated + unsent
        self._log.info(
            "Stopped after {connections} connections with {received_bytes} bytes; "
            "datagrams: {answered} answered, {refused} refused, {failed} failed",
            connections=sum(it.counters.made for it in self.streams),
            received_bytes=sum(it.counters.received_bytes for it in self.streams),
            answered=answered,
            refused=refused,
            failed=failed,
        )
