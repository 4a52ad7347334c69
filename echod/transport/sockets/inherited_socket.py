"""One of the sockets that whoever started the process has opened for it."""

import os
import socket
import stat
from contextlib import suppress
from typing import Self

from attrs import frozen

from ...errors import explain, shown
from ...wire import description

# Prefixes of descriptions, and the protocol numbers of the sockets that they stand
# for. SCTP (which knows no half-close), UDP-Lite and ICMP have sockets of these
# kinds, too.
_IPPROTO_MPTCP = 262
_KINDS = {
    socket.SOCK_STREAM: ("tcp", "unix", (socket.IPPROTO_TCP, _IPPROTO_MPTCP)),
    socket.SOCK_DGRAM: ("udp", "unixgram", (socket.IPPROTO_UDP,)),
}
_INTERNET = (socket.AF_INET, socket.AF_INET6)
_FAMILIES = (*_INTERNET, socket.AF_UNIX)

# Options that change what a datagram is or what comes beside it. ``DatagramPort`` has
# room for packet information and no more: with SO_TIMESTAMP (Timestamping= of a socket
# unit), replies left from the wrong address and broadcasts were answered. By Linux's
# numbers, as Python names few: asm-generic/socket.h, linux/in.h, in6.h and udp.h.
_UNWANTED = {
    # SO_PASSCRED, SO_TIMESTAMP, SO_PASSSEC, SO_TIMESTAMPNS, SO_TIMESTAMPING,
    # SO_RXQ_OVFL, SO_WIFI_STATUS, SO_TIMESTAMP_NEW, SO_TIMESTAMPNS_NEW,
    # SO_TIMESTAMPING_NEW, SO_RCVMARK, SO_PASSPIDFD, SO_RCVPRIORITY
    socket.SOL_SOCKET: (16, 29, 34, 35, 37, 40, 41, 63, 64, 65, 75, 76, 82),
    # IP_RECVOPTS, IP_RETOPTS, IP_RECVERR, IP_RECVTTL, IP_RECVTOS, IP_PASSSEC,
    # IP_RECVORIGDSTADDR, IP_CHECKSUM, IP_RECVFRAGSIZE
    socket.IPPROTO_IP: (6, 7, 11, 12, 13, 18, 20, 23, 25),
    # IPV6_2292PKTINFO, ...HOPOPTS, ...DSTOPTS, ...RTHDR and ...HOPLIMIT,
    # IPV6_FLOWINFO, IPV6_RECVERR, IPV6_RECVHOPLIMIT, IPV6_RECVHOPOPTS,
    # IPV6_RECVRTHDR, IPV6_RECVDSTOPTS, IPV6_RECVPATHMTU, IPV6_RECVTCLASS,
    # IPV6_RECVORIGDSTADDR, IPV6_RECVFRAGSIZE
    socket.IPPROTO_IPV6: (2, 3, 4, 5, 8, 11, 25, 51, 53, 56, 58, 60, 66, 74, 77),
    # UDP_CORK, UDP_SEGMENT, UDP_GRO
    socket.IPPROTO_UDP: (1, 103, 104),
}


class NoSocket(Exception):
    """A descriptor is something else; the message says what."""


@frozen(kw_only=True)
class InheritedSocket:
    """
    A socket that was inherited; ``look_at`` finds out about it.

    Attributes:
        descriptor: its number.
        family: as the system says, whatever its name may promise.
        kind: the same.
        address: where it is bound, as the description of a listener there.
        problem: what it is if it cannot be served, and what is wanted; None where it
            can: a stream socket that listens, or a datagram socket that is bound.
    """

    descriptor: int
    family: socket.AddressFamily
    kind: socket.SocketKind
    address: str
    problem: tuple[str, str] | None

    @classmethod
    def look_at(cls, descriptor: int) -> Self:
        """
        Returns:
            The socket behind a descriptor.

        Raises:
            NoSocket: there is none.
        """
        try:
            opened = _open(descriptor)
        except OSError as error:
            raise NoSocket(_other_thing(descriptor, error)) from error
        with opened:
            problem = _problem(opened)
            return cls(
                descriptor=descriptor,
                family=opened.family,
                kind=opened.type,
                address="" if problem else _address(opened),
                problem=problem,
            )

    @property
    def domain(self) -> str:
        """The name of the family, without AF_."""
        return _named(self.family, "AF_")

    @property
    def type(self) -> str:
        """``stream``, ``datagram``, or the name of another kind."""
        names = {socket.SOCK_STREAM: "stream", socket.SOCK_DGRAM: "datagram"}
        return names.get(self.kind) or _named(self.kind, "SOCK_")

    def duplicate(self) -> socket.socket:
        """
        Returns:
            The same socket behind a descriptor of its own, non-blocking, not for
            child processes, and without options that change what a datagram is. The
            inherited one stays open for the next start. Close it only: to shut it
            down would end the socket for whoever else has it.

        Raises:
            OSError: there is no room for another descriptor.
        """
        opened = _open(self.descriptor)
        opened.setblocking(False)
        for level, options in _UNWANTED.items():
            for option in options:
                with suppress(OSError):  # This socket, or system, has no such option.
                    opened.setsockopt(level, option, 0)
        return opened


def _open(descriptor: int) -> socket.socket:
    duplicate = os.dup(descriptor)  # Not inheritable (PEP 446).
    try:
        # Python asks the system for the family, the kind and the protocol.
        return socket.socket(fileno=duplicate)
    except OSError:
        os.close(duplicate)
        raise


def _other_thing(descriptor: int, error: OSError) -> str:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return f"not open ({explain(error)})"
    if stat.S_ISSOCK(mode):
        return f"a socket that cannot be used ({explain(error)})"
    things = {stat.S_IFREG: "a file", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device"}
    return things.get(stat.S_IFMT(mode), "no socket")


def _problem(opened: socket.socket) -> tuple[str, str] | None:
    if opened.family not in _FAMILIES:
        family = _named(opened.family, "")
        return f"a socket of the family {family}", "INET, INET6 or UNIX"
    if opened.type not in _KINDS:
        return f"a {_named(opened.type, '')} socket", "a stream or a datagram socket"
    if opened.family in _INTERNET and opened.proto not in _KINDS[opened.type][2]:
        return f"a socket of the IP protocol {opened.proto}", "TCP or UDP"
    if opened.type == socket.SOCK_STREAM:
        return _problem_of_stream(opened)
    return None if _is_bound(opened) else ("bound to no address", "one that is")


def _problem_of_stream(opened: socket.socket) -> tuple[str, str] | None:
    if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return None
    try:
        opened.getpeername()
    except OSError:
        return "a stream socket that does not listen", "one that does"
    return "a connection", "a socket that listens (Accept=no in a socket unit)"


def _is_bound(opened: socket.socket) -> bool:
    at = opened.getsockname()
    return bool(at if opened.family == socket.AF_UNIX else at[1])


def _address(opened: socket.socket) -> str:
    internet, unix, _ = _KINDS[opened.type]
    at = opened.getsockname()
    if opened.family == socket.AF_UNIX:
        # Python gives the names of the abstract namespace as bytes.
        path = "@" + os.fsdecode(at[1:]) if isinstance(at, bytes) else at
        return f"{unix}:{description.quote(shown(path))}"
    return f"{internet}:{at[1]}:interface={description.quote(at[0])}"


def _named(number: int, prefix: str) -> str:
    """A family or a kind that Python may have no name for."""
    return str(getattr(number, "name", number)).removeprefix(prefix)
