"""What a server listens on."""

from typing import Literal, cast

from attrs import frozen

from ..errors import BadValue, shown
from . import address, description

Protocol = Literal["tcp", "udp"]

#: The stream and the datagram protocol that echod opens sockets for itself.
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")

# Linux's own ceiling since 5.4 (net.core.somaxconn). With Twisted's 50, a burst
# of 4,000 connects lost 96 and took 14.5 s at p99; with 4096 none and 0.2 s.
BACKLOG = 4096

# The arguments of a description, in the order in which they may go without a name.
_ARGUMENTS = {"tcp": ("port", "interface", "backlog"), "udp": ("port", "interface")}


@frozen(kw_only=True)
class Listener:
    """
    A TCP or UDP socket to be opened.

    Its text is a description that reads back as the same listener.

    Args:
        protocol: ``tcp`` or ``udp``.
        host: an address of this host, or a name of it; empty for every IPv4 address.
        port: 0 to 65,535; 0 lets the system choose.
        backlog: how many TCP connections may wait to be accepted, above 0.
    """

    protocol: Protocol
    host: str
    port: int
    backlog: int = BACKLOG

    def __str__(self) -> str:
        text = f"{self.protocol}:{self.port}"
        if self.host:
            text += f":interface={description.quote(self.host)}"
        if self.backlog != BACKLOG:
            text += f":backlog={self.backlog}"
        return text


@frozen
class Endpoint:
    """A stream listener that Twisted, or a plugin of it, opens by its description."""

    text: str

    def __str__(self) -> str:
        return self.text


def listener(text: str, what: str = "listen") -> Listener | Endpoint:
    """
    Args:
        text: ``tcp:PORT:interface=ADDRESS:backlog=NUMBER``, the same with ``udp``
            and no backlog, or any other of Twisted's server endpoint descriptions.
        what: the name under which it was given.

    Returns:
        What the description means. That the prefix of an ``Endpoint`` exists is
        known only when the endpoint is made.

    Raises:
        BadValue: it means nothing.
    """
    if not isinstance(text, str):
        raise BadValue(what, text, "a description such as tcp:65432")
    positional, named = description.split(text, what)
    protocol, *arguments = positional or [""]
    if protocol not in _ARGUMENTS:
        if protocol.isidentifier():
            return Endpoint(text)
        raise BadValue(what, text, "tcp:PORT, udp:PORT or another description")
    names = _ARGUMENTS[protocol]
    options = named | dict(zip(names, arguments, strict=False))
    is_each_there_once = len(options) == len(named) + len(arguments)
    if not is_each_there_once or not {"port"} <= options.keys() <= {*names}:
        form = ":".join([f"{protocol}:PORT", *(f"{n}=..." for n in names[1:])])
        raise BadValue(what, text, form)
    where = f"{what} {shown(text)}:"
    return Listener(
        protocol=cast("Protocol", protocol),
        host=address.host(options.get("interface", ""), f"{where} interface"),
        port=address.port_number(options["port"], f"{where} port"),
        backlog=_backlog(options.get("backlog", str(BACKLOG)), f"{where} backlog"),
    )


def _backlog(text: str, what: str) -> int:
    # A backlog is a C int, and the kernel cuts it to somaxconn anyway.
    return address.port_number(text, what, lowest=1)
