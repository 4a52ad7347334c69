"""A port for UNIX datagrams that nothing closes; see unix(7)."""

import errno
import os
import socket
import struct
from typing import Any, Self

from twisted.internet import unix
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from .datagram import DatagramPort

# A datagram is as long as the sender's buffer, for answers echod's own; the system
# grants up to net.core.wmem_max. The memory is not used before there are answers that
# nobody takes, and this is what all of them together may be.
SEND_BUFFER_BYTES = 1 << 30

# The sender's pid, uid and gid.
_CREDENTIALS = struct.Struct("iII")

# No user has this number.
_NOBODY = (0, -1, -1)

# No room for anything else: the system closes descriptors that come along.
_CONTROL_BYTES = socket.CMSG_LEN(_CREDENTIALS.size)


class ForeignName(str):
    """
    The path to which a sender has bound its socket, who is neither root nor echod's
    own user.

    Attributes:
        uid: of the sender.
    """

    __slots__ = ("uid",)

    uid: int


class UnixDatagramPort(DatagramPort):
    """
    A UNIX datagram port for services that must not lose, cut or misaddress datagrams.

    It is a ``DatagramPort`` with these differences. Datagrams of any length arrive
    whole. The protocol's ``addr`` is the sender's path, a ``str``, its abstract name,
    ``bytes``, or None where it has neither, which cannot be answered. Nothing waits for
    a peer that does not take its answers: what the system does not take at once is
    dropped, and counted. Descriptors that come along are closed.

    A path says where the sender's socket was. Before the answer it may have become a
    link to any socket that echod may write to and the sender may not. So what goes to
    another user's path must find a socket of that user; otherwise it counts as EPERM.

    Make it by ``from_socket``.
    """

    @classmethod
    def from_socket(
        cls, bound: socket.socket, protocol: DatagramProtocol, reactor: IReactorFDSet
    ) -> Self:
        """
        Args:
            bound: a non-blocking UNIX datagram socket; the port closes it.
            protocol: who gets the datagrams.
            reactor: who says when the socket is ready.

        Returns:
            A port that is not listening yet.
        """
        port = cls(None, protocol, reactor=reactor)
        port._preexistingSocket = bound  # type: ignore[assignment]
        return port

    def _bindSocket(self) -> None:
        opened: Any = self._preexistingSocket
        self._preexistingSocket = None
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._first_byte = bytearray(1)
        # Whose rights echod does not exceed.
        self._trusted_uids = {0, os.geteuid()}
        self.connected = 1
        self.port = opened.getsockname()
        self.socket = opened
        self.fileno = opened.fileno  # type: ignore[method-assign]  # as Twisted's

    def getHost(self) -> UNIXAddress:
        return UNIXAddress(self.socket.getsockname())

    def setLogStr(self) -> None:
        self.logstr = f"{self._getLogPrefix(self.protocol)} (UNIX)"

    __repr__ = unix.DatagramPort.__repr__

    def _receive(self) -> bool:
        try:
            # How long it is, which may be more than what any buffer has.
            size = self.socket.recv_into(
                self._first_byte, 1, socket.MSG_PEEK | socket.MSG_TRUNC
            )
            datagram, control, _, name = self.socket.recvmsg(size, _CONTROL_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self._count(self.counters.unread, error)
            return False
        if isinstance(name, str):
            name = self._named(name, control)
        try:
            self.protocol.datagramReceived(datagram, name)
        except Exception:  # noqa: BLE001 - as Twisted's: it must not end the port
            self._log.failure("{protocol} failed", protocol=self.protocol)
        return True

    def _named(self, path: str, control: list[tuple[int, int, bytes]]) -> str:
        # A process that shares the socket may have switched it off.
        _, uid, _ = _CREDENTIALS.unpack(control[0][2]) if control else _NOBODY
        if uid in self._trusted_uids:
            return path
        foreign = ForeignName(path)
        foreign.uid = uid
        return foreign

    def write(  # type: ignore[override]  # UDP's have hosts and ports
        self, datagram: bytes, addr: str | bytes | None = None
    ) -> None:
        """
        Send a datagram, or count why not.

        Args:
            datagram: the payload.
            addr: where to: the ``addr`` of a received datagram, or a name; None on a
                connected port.
        """
        try:
            if addr is None:
                self.socket.send(datagram)
            elif isinstance(addr, ForeignName):
                self._send_to_own(datagram, addr)
            else:
                self.socket.sendto(datagram, addr)
        except OSError as error:
            self._count(self.counters.unsent, error)

    def _send_to_own(self, datagram: bytes, name: ForeignName) -> None:
        """Send to what has the name now, if that is its sender's own."""
        # What was looked at is what it goes to, whatever has the name by then.
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(found).st_uid != name.uid:
                raise PermissionError(errno.EPERM, "not the sender's")
            self.socket.sendto(datagram, f"/proc/self/fd/{found}")
        finally:
            os.close(found)

    def connectionLost(self, reason: Failure | None = None) -> None:
        if reason is None:
            unix.DatagramPort.connectionLost(self)  # type: ignore[arg-type]
        else:
            super().connectionLost(reason)
