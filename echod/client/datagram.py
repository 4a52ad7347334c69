"""One exchange with an echo service over datagrams."""

import socket

from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004
from twisted.internet.interfaces import (
    IReactorFDSet,
    IReactorFromThreads,
    IReactorThreads,
    IReactorTime,
    IUDPTransport,
)
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.threads import deferToThreadPool

from ..errors import BadValue, CannotReach, UnknownHost, explain
from ..transport.datagram import DatagramPort
from ..transport.sockets.resolve import SocketAddress, resolve
from ..transport.unixgram import UnixDatagramPort
from ..wire.address import BROADCAST
from ..wire.local import system_name
from ..wire.target import AnyTarget, Target, UnixTarget
from .connect import service_port

#: The most that one datagram can carry: 65,535 less the IPv4 header of 20 and the
#: UDP header of 8; over IPv6 its own header does not count.
MAX_PAYLOAD_BYTES = {socket.AF_INET: 65_507, socket.AF_INET6: 65_527}


async def echo(
    target: AnyTarget, payload: bytes, timeout_s: float, reactor: IReactorFDSet
) -> bytes:
    """
    Args:
        target: an echo service over datagrams.
        payload: what to send, at most 65,507 bytes over IPv4, 65,527 over IPv6, and
            what the system takes over UNIX sockets.
        timeout_s: how long to wait for the answer.
        reactor: runs the exchange.

    Returns:
        The payload of the first datagram that comes back. A question to ``<broadcast>``
        is answered by whoever has heard it; other questions by who was asked.

    Raises:
        BadValue: the payload is more than a datagram can carry.
        CannotReach: there is no service, or no answer.
    """
    client = DatagramClient(target)
    if isinstance(target, UnixTarget):
        opened = connected(target, socket.AF_UNIX, system_name(target.path))
        port: DatagramPort = UnixDatagramPort.from_socket(opened, client, reactor)
        asked = None
    else:
        family, address = await _address(target, reactor)
        if len(payload) > MAX_PAYLOAD_BYTES[family]:
            most = MAX_PAYLOAD_BYTES[family]
            size = f"{len(payload)} bytes"
            raise BadValue(f"{target}: the payload", size, f"at most {most}")
        is_one = target.host != BROADCAST
        opened = connected(target, family, address if is_one else None)
        port = DatagramPort.from_socket(opened, client, reactor)
        asked = None if is_one else address
    port.startListening()
    port.write(payload, asked)
    try:
        return await client.answer.addTimeout(timeout_s, IReactorTime(reactor))
    except TimeoutError as error:
        unsent = "".join(f" ({name})" for name in port.counters.unsent)
        msg = (
            f"{target}: no answer within {timeout_s:g} s{unsent}; want an echo service"
        )
        raise CannotReach(msg) from error
    finally:
        await port.stopListening()


async def _address(
    target: Target, reactor: IReactorFDSet
) -> tuple[socket.AddressFamily, SocketAddress]:
    number = service_port(target, socket.SOCK_DGRAM)
    try:
        return await deferToThreadPool(
            IReactorFromThreads(reactor),
            IReactorThreads(reactor).getThreadPool(),
            resolve,
            target.host,
            number,
            socket.SOCK_DGRAM,
        )
    except UnknownHost as error:
        msg = f"{target}: {error}; want a name or address that does"
        raise UnknownHost(msg) from error


class DatagramClient(DatagramProtocol):
    """
    The client's end of a datagram port.

    Attributes:
        answer: fires with the payload of the first datagram, or fails.
    """

    noisy = False
    transport: IUDPTransport

    def __init__(self, target: AnyTarget) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self._target = target

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if not self.answer.called:
            self.answer.callback(datagram)

    def connectionRefused(self) -> None:
        if not self.answer.called:
            reason = "connection refused; want an echo service that listens there"
            self.answer.errback(CannotReach(f"{self._target}: {reason}"))


def connected(
    target: AnyTarget, family: socket.AddressFamily, address: SocketAddress | str | None
) -> socket.socket:
    """
    Args:
        target: for messages.
        family: of the socket.
        address: of its one peer; None for one that may ask many at once.

    Returns:
        A datagram socket to which an answer can come.

    Raises:
        CannotReach: there is no way to ``address``.
    """
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            if family == socket.AF_UNIX:
                opened.bind("")  # unix(7), "Autobind feature".
            if address is None:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                opened.bind(("", 0))
            else:
                opened.connect(address)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        raise CannotReach(
            f"{target}: {explain(error)}; want a host that can be reached"
        ) from error
    return opened
