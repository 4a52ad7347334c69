"""A reactor within the reactor, for transports with very many small events."""

import select
from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IListeningPort,
    IProtocolFactory,
    IReactorFDSet,
    IReadDescriptor,
    IWriteDescriptor,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.posixbase import PosixReactorBase
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from .eager import EagerPort

# One turn of the outer reactor handles at most this many events, in rounds: going
# back to it costs as much as several events do, but its timers and signals wait.
ROUNDS_PER_TURN = 8
EVENTS_PER_ROUND = 64

_adopt_stream_port: Any = PosixReactorBase.adoptStreamPort

# As epoll(7) numbers them; the names are not there where it is not.
_IN = 0x001
_OUT = 0x004
_GONE = 0x008 | 0x010  # EPOLLERR | EPOLLHUP


def is_available() -> bool:
    """Whether this system has what a nested reactor needs: epoll(7)."""
    return hasattr(select, "epoll")


@implementer(IReactorFDSet, IReadDescriptor)
class NestedReactor:
    """
    Runs transports in a tight loop of its own, as one reader of another reactor.

    Give it in place of the reactor to an endpoint, a port or a service: its
    transports are watched by an epoll of their own, and everything else that is
    asked of it (timers, threads, names, stopping) is the outer reactor's. The rules
    are Twisted's: what a method of a transport raises is logged and ends that
    transport alone; a half-close goes to transports that know what it is. TCP ports
    that it opens send at once (see ``EagerPort``). One difference: handlers run
    without the transport's logging context, which costs more than an echo does.

    Nothing is open unless something is watched; there is nothing to close.

    Works with every reactor whose readers are file descriptors: epoll, poll, select,
    asyncio. Needs epoll(7), see ``is_available``.

    Args:
        outer: the reactor that runs.
    """

    _log = Logger()

    def __init__(self, outer: IReactorFDSet) -> None:
        self._outer = outer
        self._epoll: select.epoll | None = None
        # By file descriptor: who is watched, and for what.
        self._selectables: dict[int, Any] = {}
        self._interest: dict[int, int] = {}
        # Added since epoll was last asked: what it said before is not about them.
        self._fresh: set[int] = set()
        # What epoll cannot watch (regular files); the outer reactor knows how.
        self._outside: set[Any] = set()
        directlyProvides(self, providedBy(outer))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outer, name)

    # What Twisted builds for a reactor, it builds for this one.
    connectTCP = PosixReactorBase.connectTCP
    listenSSL = PosixReactorBase.listenSSL
    connectSSL = PosixReactorBase.connectSSL
    listenUNIX = PosixReactorBase.listenUNIX
    connectUNIX = PosixReactorBase.connectUNIX
    listenUNIXDatagram = PosixReactorBase.listenUNIXDatagram
    connectUNIXDatagram = PosixReactorBase.connectUNIXDatagram
    listenUDP = PosixReactorBase.listenUDP
    listenMulticast = PosixReactorBase.listenMulticast
    adoptDatagramPort = PosixReactorBase.adoptDatagramPort
    adoptStreamConnection = PosixReactorBase.adoptStreamConnection

    def listenTCP(
        self,
        port: int,
        factory: IProtocolFactory,
        backlog: int = 50,
        interface: str = "",
    ) -> IListeningPort:
        """See ``IReactorTCP``; the port is an ``EagerPort``."""
        opened: IListeningPort = EagerPort(port, factory, backlog, interface, self)
        opened.startListening()
        return opened

    def adoptStreamPort(
        self, fileDescriptor: int, addressFamily: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """See ``IReactorSocket``; a TCP port is an ``EagerPort``."""
        opened: IListeningPort
        if addressFamily in EagerPort.FAMILIES:
            opened = EagerPort.from_descriptor(
                fileDescriptor, addressFamily, factory, self
            )
            opened.startListening()
        else:
            opened = _adopt_stream_port(self, fileDescriptor, addressFamily, factory)
        return opened

    # IReactorFDSet

    def addReader(self, reader: IReadDescriptor) -> None:
        self._add(reader, _IN)

    def addWriter(self, writer: IWriteDescriptor) -> None:
        self._add(writer, _OUT)

    def removeReader(self, reader: IReadDescriptor) -> None:
        self._remove(reader, _IN)

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        self._remove(writer, _OUT)

    def removeAll(self) -> list[IReadDescriptor | IWriteDescriptor]:
        watched = [*self._selectables.values(), *self._outside]
        for selectable in watched:
            self._remove(selectable, _IN | _OUT)
        return watched

    def getReaders(self) -> list[IReadDescriptor]:
        outside = [it for it in self._outer.getReaders() if it in self._outside]
        return self._watched_for(_IN) + outside

    def getWriters(self) -> list[IWriteDescriptor]:
        outside = [it for it in self._outer.getWriters() if it in self._outside]
        return self._watched_for(_OUT) + outside

    def _watched_for(self, event: int) -> list[Any]:
        return [
            selectable
            for fd, selectable in self._selectables.items()
            if self._interest[fd] & event
        ]

    def _add(self, selectable: Any, event: int) -> None:
        fd = selectable.fileno()
        before = self._interest.get(fd, 0)
        if before & event:
            return
        if before:
            self._poll().modify(fd, before | event)
        else:
            try:
                self._poll().register(fd, event)
            except PermissionError:
                self._add_outside(selectable, event)
                return
            except (OSError, ValueError):
                self._close_if_idle()
                raise
            self._selectables[fd] = selectable
            self._fresh.add(fd)
        self._interest[fd] = before | event

    def _add_outside(self, selectable: Any, event: int) -> None:
        self._close_if_idle()
        self._outside.add(selectable)
        if event == _IN:
            self._outer.addReader(selectable)
        else:
            self._outer.addWriter(selectable)

    def _remove(self, selectable: Any, event: int) -> None:
        fd = selectable.fileno()
        if fd == -1:  # It has closed its file, which must still be forgotten.
            fd = next((k for k, v in self._selectables.items() if v is selectable), -1)
        before = self._interest.get(fd, 0)
        after = before & ~event
        if after == before:
            if selectable in self._outside:
                self._remove_outside(selectable, event)
        elif after:
            with suppress(OSError):  # The same as below.
                self._poll().modify(fd, after)
            self._interest[fd] = after
        else:
            del self._interest[fd], self._selectables[fd]
            with suppress(OSError):  # Epoll forgets a file that is closed by itself.
                self._poll().unregister(fd)
            self._close_if_idle()

    def _remove_outside(self, selectable: Any, event: int) -> None:
        outer = self._outer
        if event & _IN:
            outer.removeReader(selectable)
        if event & _OUT:
            outer.removeWriter(selectable)
        if selectable not in [*outer.getReaders(), *outer.getWriters()]:
            self._outside.discard(selectable)

    def _poll(self) -> "select.epoll":
        """The epoll, which is open from now on."""
        if self._epoll is None:
            self._epoll = select.epoll()
            self._outer.addReader(self)
        return self._epoll

    def _close_if_idle(self) -> None:
        if not self._selectables and self._epoll is not None:
            self._outer.removeReader(self)
            self._epoll.close()
            self._epoll = None

    # One reader of the outer reactor

    def fileno(self) -> int:
        """The descriptor of the epoll, which is readable when there is an event."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        """What stands for the transports in the lines of Twisted's old log."""
        return "-"

    def connectionLost(self, reason: Failure) -> None:
        """The outer reactor ends: so does every transport."""
        # What is outside hears of it from the outer reactor itself.
        for selectable in list(self._selectables.values()):
            self._disconnect(selectable, reason, in_read=False)

    def doRead(self) -> None:
        """Handle what is ready, and what becomes ready meanwhile, within bounds."""
        for _ in range(ROUNDS_PER_TURN):
            if self._epoll is None:
                return
            events = self._epoll.poll(0, EVENTS_PER_ROUND)
            if not events:
                return
            self._fresh.clear()
            self._do_round(events)

    def _do_round(self, events: list[tuple[int, int]]) -> None:
        selectables = self._selectables
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue  # It has gone since epoll was asked.
            try:
                # Nearly every event is this one.
                if event == _IN:
                    why, in_read = selectable.doRead(), True
                elif fd in self._fresh:
                    continue  # The event was its predecessor's.
                else:
                    why, in_read = self._handle(selectable, fd, event)
            except BaseException as error:  # noqa: BLE001 - as Twisted's
                self._log.failure("{selectable} failed", selectable=selectable)
                why, in_read = error, False
            if why:
                self._disconnect(selectable, Failure(why), in_read=in_read)

    def _handle(
        self, selectable: Any, fd: int, event: int
    ) -> tuple[BaseException | None, bool]:
        """Why the selectable ends, if it does, and whether reading said so."""
        if event & _GONE and not event & _IN:
            # One that waits for input has got all of it.
            if self._interest[fd] & _IN:
                return CONNECTION_DONE, True
            return CONNECTION_LOST, False
        if event & _IN:
            why = selectable.doRead()
            if why or not event & _OUT:
                return why, True
        return selectable.doWrite(), False

    def _disconnect(self, selectable: Any, why: Failure, *, in_read: bool) -> None:
        try:
            self.removeReader(selectable)
            if (
                in_read
                and why.check(ConnectionDone)
                and IHalfCloseableDescriptor.providedBy(selectable)
            ):
                selectable.readConnectionLost(why)
            else:
                self.removeWriter(selectable)
                selectable.connectionLost(why)
        except BaseException:  # noqa: BLE001 - the others must not suffer from it
            self._log.failure("{selectable} failed at its end", selectable=selectable)
