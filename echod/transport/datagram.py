"""A UDP port that answers from the address that was asked, and that nothing closes."""

import errno
import socket
import sys
from collections import Counter, deque
from contextlib import suppress
from typing import Any, NamedTuple, Self

from attrs import define, field
from twisted.internet import udp
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..wire import pktinfo
from ..wire.pktinfo import ControlMessage

# More than any datagram can carry (65,507 bytes over IPv4, 65,527 over IPv6), so
# that none is ever cut; a larger buffer than needed costs nothing measurable.
MAX_DATAGRAM_BYTES = 65_536

# What a burst may bring before it is read. Of 1,000 datagrams of 1,400 bytes at once
# 45 % were lost with Linux's default of 208 KiB, and none with this (medians of 5).
RECEIVE_BUFFER_BYTES = 1024 * 1024

# libuv takes 32 at a time. Twisted counts bytes instead: an empty datagram sent
# from a port to itself hangs it for ever, one-byte datagrams for 1.7 s.
DATAGRAMS_PER_WAKE = 64

# Room for either kind of packet information.
_CONTROL_BYTES = socket.CMSG_SPACE(20)


class Source(tuple[str, int]):  # noqa: SLOT001 - a tuple can have no slots
    """
    Where a datagram came from: ``(host, port)`` as Twisted has it, and the way back.

    Attributes:
        address: the whole socket address; for IPv6, with flow and scope.
        control: what makes an answer leave from the address that was asked.
    """

    address: tuple[Any, ...]
    control: list[ControlMessage]


class Unsent(NamedTuple):
    """A datagram that waits for the system to have room."""

    datagram: bytes
    control: list[ControlMessage]
    address: tuple[Any, ...] | None


@define
class PortCounters:
    """
    What a port could not do.

    Attributes:
        to_many_hosts: datagrams sent to broadcast or multicast addresses, not given
            to the protocol.
        truncated: datagrams longer than the port takes, not given to the protocol.
        unread: failed receives, by the name of the error.
        unsent: datagrams that the system would not send, by the name of the error.
    """

    to_many_hosts: int = 0
    truncated: int = 0
    unread: Counter[str] = field(factory=Counter)
    unsent: Counter[str] = field(factory=Counter)


class DatagramPort(udp.Port):
    """
    A ``udp.Port`` for services that must not lose, cut or misaddress datagrams.

    It differs from Twisted's own in these points. Payloads up to 65,527 bytes arrive
    whole. A reply leaves from the address to which its datagram was sent, also where
    the port is bound to every address (the protocol's ``addr`` carries what is needed,
    so give ``write`` that very object). Datagrams to broadcast and multicast addresses
    are dropped. At most 64 datagrams are taken before the reactor turns. When the send
    buffer is full, datagrams wait and reading pauses. No failed system call closes the
    port, raises, or writes a log line; ``counters`` counts them.

    Takes the same arguments as ``udp.Port``.
    """

    _log = Logger()

    def __init__(
        self,
        port: int | None,
        proto: DatagramProtocol,
        interface: str = "",
        maxPacketSize: int = MAX_DATAGRAM_BYTES,
        reactor: IReactorFDSet | None = None,
    ) -> None:
        super().__init__(port, proto, interface, maxPacketSize, reactor)
        self.counters = PortCounters()
        self._waiting: deque[Unsent] = deque()
        self._is_stopping = False

    @classmethod
    def from_socket(
        cls, bound: socket.socket, protocol: DatagramProtocol, reactor: IReactorFDSet
    ) -> Self:
        """
        Args:
            bound: a non-blocking UDP socket, which may be connected; the port
                closes it.
            protocol: who gets the datagrams.
            reactor: who says when the socket is ready.

        Returns:
            A port that is not listening yet.
        """
        port = cls(None, protocol, bound.getsockname()[0], reactor=reactor)
        port._preexistingSocket = bound  # type: ignore[assignment]
        with suppress(OSError):  # ENOTCONN
            port._connectedAddr = bound.getpeername()[:2]
        return port

    def _bindSocket(self) -> None:
        super()._bindSocket()
        self._make_room()
        if sys.platform != "linux":  # pragma: no cover - nothing else is tested on
            return
        if self.addressFamily == socket.AF_INET:
            ask = (socket.IPPROTO_IP, pktinfo.IP_PKTINFO)
        else:
            ask = (socket.IPPROTO_IPV6, pktinfo.IPV6_RECVPKTINFO)
        self.socket.setsockopt(*ask, 1)

    def _make_room(self) -> None:
        """Have the system keep more of a burst than it does by default."""
        opened = self.socket
        # socket(7): twice of what is asked for is had, up to net.core.rmem_max.
        has_bytes = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        if has_bytes < 2 * RECEIVE_BUFFER_BYTES:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)

    def doRead(self) -> None:
        for _ in range(DATAGRAMS_PER_WAKE):
            if self._waiting or self._is_stopping or not self._receive():
                return

    def _receive(self) -> bool:
        """Give one datagram to the protocol; False when there is none just now."""
        try:
            datagram, control, flags, address = self.socket.recvmsg(
                self.maxPacketSize, _CONTROL_BYTES
            )
        except BlockingIOError:
            return False
        except OSError as error:
            self._count(self.counters.unread, error)
            return False
        self._deliver(datagram, control, flags, address)
        return True

    def _deliver(
        self,
        datagram: bytes,
        control: list[ControlMessage],
        flags: int,
        address: tuple[Any, ...],
    ) -> None:
        """Give what recvmsg(2) tells of a datagram to the protocol, or count it."""
        back = pktinfo.answer(control)
        if back is None:
            self.counters.to_many_hosts += 1
        elif flags & socket.MSG_TRUNC:
            self.counters.truncated += 1
        else:
            source = Source(address[:2])
            source.address = address
            source.control = back
            try:
                self.protocol.datagramReceived(datagram, source)
            except Exception:  # noqa: BLE001 - as Twisted's: it must not end the port
                self._log.failure("{protocol} failed", protocol=self.protocol)

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        """
        Send a datagram, or keep it until the system has room for it.

        Args:
            datagram: the payload.
            addr: where to: the ``addr`` of a received datagram, or a host and a
                port; None on a connected port.
        """
        if isinstance(addr, Source):
            unsent = Unsent(datagram, addr.control, addr.address)
        else:
            unsent = Unsent(datagram, [], addr)
        self._hand_over(unsent)

    def _hand_over(self, unsent: Unsent) -> None:
        if self._waiting:
            self._keep(unsent)
        elif not self._send(unsent):
            self._keep(unsent)
            self.stopReading()
            self.startWriting()

    def _send(self, unsent: Unsent) -> bool:
        """Whether the system took the datagram, or will never take it."""
        datagram, control, address = unsent
        try:
            if address is None:
                self.socket.send(datagram)
            else:
                self.socket.sendmsg([datagram], control, 0, address)
        except BlockingIOError:
            return False
        except OSError as error:
            self._count(self.counters.unsent, error)
        return True

    def _keep(self, unsent: Unsent) -> None:
        # An echo never has more than one waiting, because reading stops. A protocol
        # that writes on its own account must not grow the process.
        if len(self._waiting) < DATAGRAMS_PER_WAKE:
            self._waiting.append(unsent)
        else:
            self.counters.unsent["ENOBUFS"] += 1

    def doWrite(self) -> None:
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()
        if not self._waiting:
            self.stopWriting()
            if not self._is_stopping:
                self.startReading()

    def _count(self, counter: Counter[str], error: OSError) -> None:
        counter[errno.errorcode.get(error.errno or 0, "unknown")] += 1
        if error.errno == errno.ECONNREFUSED and self._connectedAddr:
            self.protocol.connectionRefused()

    def stopListening(self) -> Deferred[None]:
        self._is_stopping = True
        return maybeDeferred(super().stopListening)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """
        Close the socket, if that is what was asked for.

        Without a reason this is the end of ``stopListening``. With one it is the
        reactor, which takes an error that is pending on the socket for its end (one
        ICMP message is enough on a connected port): the error is counted, and the
        port goes on.
        """
        if reason is None:
            super().connectionLost()
        elif not self._is_stopping:
            pending = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if self._waiting:
                self.startWriting()
            else:
                self.startReading()
            self._count(self.counters.unread, OSError(pending, "pending"))
