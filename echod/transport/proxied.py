"""Connections that begin with the header of the PROXY protocol."""

from collections import Counter
from typing import Any

from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocolFactory,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..policy.networks import Networks
from ..wire.proxy.header import BadHeader, Header, HostPort
from ..wire.proxy.stream import parse
from .opening import Opening


@define
class ProxiedCounters:
    """
    Attributes:
        headers: connections whose header was right.
        local: those among them that are the balancer's own.
        refused: connections that were ended before that, by reason: ``untrusted``,
            from elsewhere than a balancer; ``late``; ``closed``, by the other side; or
            what was wrong, one of ``wire.proxy.header.Reason``.
    """

    headers: int = 0
    local: int = 0
    refused: Counter[str] = field(factory=Counter)


class ProxiedFactory(Factory["Proxied"]):
    """
    Connections from balancers, each of which begins with the header that names the
    real peer. The header must be there: nothing is guessed.

    Args:
        inner: makes the protocol that a connection is for, once its header is there;
            it is given the real peer's address, and refuses that by making none. TLS
            comes after the header, so it may be a factory of TLS connections.
        trusted: where balancers are; those on UNIX sockets are always trusted. From
            elsewhere no connection is taken.
        opening: tells connections when their time is over.
        timeout_s: how long a header may take; 0 for as long as it likes. The
            specification wants 3 s at least, for a segment that is sent again.

    Attributes:
        counters: what has happened so far.
    """

    noisy = False

    def __init__(
        self,
        inner: IProtocolFactory,
        trusted: Networks,
        opening: Opening,
        *,
        timeout_s: float = 5.0,
    ) -> None:
        self.inner = inner
        self.trusted = trusted
        self.opening = opening
        self.timeout_s = timeout_s
        self.counters = ProxiedCounters()

    def doStart(self) -> None:
        super().doStart()
        self.inner.doStart()

    def doStop(self) -> None:
        super().doStop()
        self.inner.doStop()

    def buildProtocol(self, addr: IAddress | None) -> "Proxied | None":
        if addr is None or not self._is_trusted(addr):
            self.counters.refused["untrusted"] += 1
            return None
        connection = Proxied(self, addr)
        connection.factory = self
        return connection

    def _is_trusted(self, addr: IAddress) -> bool:
        is_near = isinstance(addr, UNIXAddress)
        return is_near or self.trusted.contains(getattr(addr, "host", ""))


# As with EchoProtocol, the interface must stand on this very class.
@implementer(IHalfCloseableProtocol)
class Proxied(Protocol):
    """
    A connection until its header is complete; then the protocol that it is for takes
    this one's place, and nothing is left in between.

    Before that nothing is answered, and nothing is logged. What is no header breaks
    the connection as soon as that is known, so that a balancer which is set up wrongly
    gets to know. At most ``wire.proxy.stream.MAX_BYTES`` and one read are kept.

    Runs on transports whose attribute ``protocol`` is who hears of their events:
    Twisted's own for TCP and UNIX, and echod's.

    Args:
        factory: the one that made it.
        addr: the near end of the connection: the balancer's.
    """

    # More than Twisted declares of a transport is used here.
    transport: Any

    def __init__(self, factory: ProxiedFactory, addr: IAddress) -> None:
        self._factory = factory
        self._addr = addr
        self._received = b""
        self._is_settled = False

    def connectionMade(self) -> None:
        self._factory.opening.begin(self, self._factory.timeout_s)

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        try:
            header = parse(self._received)
        except BadHeader as error:
            self._refuse(error.reason)
            return
        if header is not None:
            self._settle()
            self._open(header)

    def readConnectionLost(self) -> None:
        self._count("closed")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing is written here, so there is no end of it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._count("closed")

    def is_late(self) -> None:
        """See ``Opener``."""
        self._refuse("late")

    def abort(self) -> None:
        """See ``Opener``."""
        self._settle()
        self.transport.abortConnection()

    def _refuse(self, reason: str) -> None:
        self._count(reason)
        self.transport.abortConnection()

    def _count(self, reason: str) -> None:
        """Count a connection that is refused, for the first reason that there was."""
        if not self._is_settled:
            self._settle()
            self._factory.counters.refused[reason] += 1

    def _settle(self) -> None:
        self._is_settled = True
        self._factory.opening.end(self)

    def _open(self, header: Header) -> None:
        counters = self._factory.counters
        counters.headers += 1
        counters.local += header.is_local
        source = header.source
        addr = self._addr if source is None else _address(source)
        inner = self._factory.inner.buildProtocol(addr)
        if inner is None:
            self.transport.abortConnection()
            return
        payload, self._received = self._received[header.size_bytes :], b""
        self.transport.protocol = inner
        inner.makeConnection(self.transport)
        if payload and not _is_ending(self.transport):
            inner.dataReceived(payload)


def _address(end: HostPort | bytes) -> IAddress:
    """One end of a connection, as Twisted has it."""
    if isinstance(end, bytes):
        return UNIXAddress(end or None)
    kind = IPv6Address if ":" in end.host else IPv4Address
    return kind("TCP", end.host, end.port)


def _is_ending(transport: Any) -> bool:
    """Whether the protocol has ended the connection, and must hear no more."""
    # Twisted does not tell of an abort; but then it reads no more either.
    return bool(transport.disconnecting) or getattr(transport, "_aborting", False)
