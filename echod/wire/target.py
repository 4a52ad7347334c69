"""What a client talks to."""

import re
from typing import cast

from attrs import frozen

from ..errors import BadValue, shown
from . import address
from .listener import Protocol

_TARGET = re.compile(
    r"((?P<protocol>tcp|udp):)?(\[(?P<ipv6>[^][]+)\]|(?P<host>[^][:]+)):(?P<port>[^:]*)"
)


@frozen(kw_only=True)
class Target:
    """
    An echo service somewhere.

    Args:
        protocol: ``tcp`` or ``udp``.
        host: its name or address.
        port: 1 to 65,535.
    """

    protocol: Protocol
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}:{host}:{self.port}"


def target(text: str, what: str = "target") -> Target:
    """
    Args:
        text: ``tcp:HOST:PORT``, ``udp:HOST:PORT``, or ``HOST:PORT`` for TCP; an
            IPv6 address stands in brackets.
        what: the name under which it was given.

    Returns:
        What the text means; a name is not looked up.

    Raises:
        BadValue: it means nothing.
    """
    where = f"{what} {shown(text)}:"
    match = _TARGET.fullmatch(text)
    if match is None or (match["ipv6"] and not address.is_ipv6(match["ipv6"])):
        raise BadValue(what, text, "tcp:HOST:PORT, udp:HOST:PORT or HOST:PORT")
    return Target(
        protocol=cast("Protocol", match["protocol"] or "tcp"),
        host=match["ipv6"] or address.host(match["host"], f"{where} host"),
        port=address.port_number(match["port"], f"{where} port", lowest=1),
    )
