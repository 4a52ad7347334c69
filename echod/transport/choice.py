"""Which transports a service uses."""

from attrs import frozen
from twisted.internet.interfaces import IReactorCore, IReactorFDSet

from ..errors import CannotStart
from ..settings import Transport
from . import nested
from .batched import mmsg
from .batched.port import BatchedDatagramPort
from .datagram import DatagramPort
from .nested import NestedReactor


@frozen
class Transports:
    """
    Attributes:
        name: ``fast`` or ``stock``.
        reactor: runs the transports.
        datagram_port: the kind of port that datagrams use.
    """

    name: str
    reactor: IReactorCore
    datagram_port: type[DatagramPort]


def transports(wanted: Transport, reactor: IReactorCore) -> Transports:
    """
    Args:
        wanted: ``auto`` is fast where that exists, and stock elsewhere.
        reactor: runs the service.

    Raises:
        CannotStart: fast is wanted and does not exist here.
    """
    outer = IReactorFDSet(reactor, None)
    if wanted != "stock" and outer is not None and nested.is_available():
        port = BatchedDatagramPort if mmsg.is_available() else DatagramPort
        return Transports("fast", IReactorCore(NestedReactor(outer)), port)
    if wanted == "fast":
        needed = "epoll(7), and a reactor that watches file descriptors"
        msg = f"transport is fast: that needs {needed}; want auto or stock"
        raise CannotStart(msg)
    return Transports("stock", reactor, DatagramPort)
