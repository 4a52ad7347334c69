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
from ..transport.sockets.resolve import resolve
from ..wire.target import Target

#: The most that one datagram can carry: 65,535 less the IPv4 header of 20 and the
#: UDP header of 8; over IPv6 its own header does not count.
MAX_PAYLOAD_BYTES = {socket.AF_INET: 65_507, socket.AF_INET6: 65_527}


async def echo(
    target: Target, payload: bytes, timeout_s: float, reactor: IReactorFDSet
) -> bytes:
    """
    Args:
        target: a UDP echo service.
        payload: what to send, at most 65,507 bytes over IPv4, 65,527 over IPv6.
        timeout_s: how long to wait for the answer.
        reactor: runs the exchange.

    Returns:
        The payload of the first datagram that comes back.

    Raises:
        BadValue: the payload is more than a datagram can carry.
        CannotReach: there is no service, or no answer.
    """
    try:
        family, address = await deferToThreadPool(
            IReactorFromThreads(reactor),
            IReactorThreads(reactor).getThreadPool(),
            resolve,
            target.host,
            target.port,
            socket.SOCK_DGRAM,
        )
    except UnknownHost as error:
        msg = f"{target}: {error}; want a name or address that does"
        raise UnknownHost(msg) from error
    if len(payload) > MAX_PAYLOAD_BYTES[family]:
        most = MAX_PAYLOAD_BYTES[family]
        size = f"{len(payload)} bytes"
        raise BadValue(f"{target}: the payload", size, f"at most {most}")
    client = DatagramClient(target)
    port = DatagramPort.from_socket(
        _connected(target, family, address), client, reactor
    )
    port.startListening()
    port.write(payload)
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


class DatagramClient(DatagramProtocol):
    """
    The client's end of a connected UDP port.

    Attributes:
        answer: fires with the payload of the first datagram, or fails.
    """

    noisy = False
    transport: IUDPTransport

    def __init__(self, target: Target) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self._target = target

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if not self.answer.called:
            self.answer.callback(datagram)

    def connectionRefused(self) -> None:
        if not self.answer.called:
            reason = "connection refused; want an echo service that listens there"
            self.answer.errback(CannotReach(f"{self._target}: {reason}"))


def _connected(
    target: Target, family: socket.AddressFamily, address: tuple[object, ...]
) -> socket.socket:
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.connect(address)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        raise CannotReach(
            f"{target}: {explain(error)}; want a host that can be reached"
        ) from error
    return opened
