"""What a client talks to."""

import re
from typing import Literal, cast

from attrs import frozen

from ..errors import BadValue, shown
from . import address
from .address import Ports
from .local import UnixProtocol, unix_path

TargetProtocol = Literal["tcp", "udp", "tls"]

_TARGET = re.compile(
    r"((?P<protocol>tcp|udp|tls):)?"
    r"(\[(?P<ipv6>[^][]+)\]|(?P<host>[^][:]+)):(?P<port>[^:]*)"
)
_UNIX_TARGET = re.compile(r"(?P<protocol>unix|unixgram):(?P<path>.*)", re.DOTALL)

_WANTED = (
    "tcp:HOST:PORT, udp:HOST:PORT, tls:HOST:PORT, HOST:PORT, unix:PATH or unixgram:PATH"
)


@frozen(kw_only=True)
class Target:
    """
    An echo service somewhere.

    Args:
        protocol: ``tcp``, ``udp`` or ``tls``.
        host: its name or address.
        port: 1 to 65,535, or the name of a service.
    """

    protocol: TargetProtocol
    host: str
    port: Ports

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}:{host}:{self.port}"


@frozen(kw_only=True)
class UnixTarget:
    """
    An echo service on this machine.

    Args:
        protocol: ``unix`` for streams, ``unixgram`` for datagrams.
        path: of its socket; a leading ``@`` makes it an abstract name.
    """

    protocol: UnixProtocol
    path: str

    def __str__(self) -> str:
        return f"{self.protocol}:{self.path}"


AnyTarget = Target | UnixTarget


def target(text: str, what: str = "target") -> AnyTarget:
    """
    Args:
        text: ``tcp:HOST:PORT``, ``udp:HOST:PORT``, ``tls:HOST:PORT``, or ``HOST:PORT``
            for TCP, with an IPv6 address in brackets; ``unix:PATH``,
            ``unixgram:PATH``.
        what: the name under which it was given.

    Returns:
        What the text means; a name is not looked up.

    Raises:
        BadValue: it means nothing.
    """
    where = f"{what} {shown(text)}:"
    unix = _UNIX_TARGET.fullmatch(text)
    if unix is not None:
        return UnixTarget(
            protocol=cast("UnixProtocol", unix["protocol"]),
            path=unix_path(unix["path"], f"{where} path"),
        )
    match = _TARGET.fullmatch(text)
    if match is None or (match["ipv6"] and not address.is_ipv6(match["ipv6"])):
        raise BadValue(what, text, _WANTED)
    return Target(
        protocol=cast("TargetProtocol", match["protocol"] or "tcp"),
        host=address.host(match["ipv6"] or match["host"], f"{where} host"),
        port=address.port(match["port"], f"{where} port", lowest=1),
    )
