"""TCP and UDP sockets to be opened."""

from typing import Literal

from attrs import frozen

from ..errors import BadValue, shown
from . import address, description
from .address import Ports
from .certificates import Certificates, Folder, certificates

Protocol = Literal["tcp", "udp"]

#: The stream and the datagram protocol of the Internet.
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")

# Linux's own ceiling since 5.4 (net.core.somaxconn). With Twisted's 50, a burst
# of 4,000 connects lost 96 and took 14.5 s at p99; with 4096 none and 0.2 s.
BACKLOG = 4096

# The arguments of each description, in the order in which they may go without a name.
# Those of ssl: and tls: are Twisted's, but for what is a setting here.
ARGUMENTS = {
    "tcp": ("port", "interface", "backlog"),
    "udp": ("port", "interface"),
    "ssl": ("port", "privateKey", "certKey", "interface", "backlog", "extraCertChain"),
    "tls": ("certificates", "port", "interface", "backlog"),
}
_NEEDED = {
    "tcp": {"port"},
    "udp": {"port"},
    "ssl": {"port", "privateKey"},
    "tls": {"certificates", "port"},
}
_FORMS = {
    "tcp": "tcp:PORT:interface=...:backlog=...",
    "udp": "udp:PORT:interface=...",
    "ssl": "ssl:PORT:privateKey=...:certKey=...:interface=...:backlog=..."
    ":extraCertChain=...",
    "tls": "tls:FOLDER:PORT:interface=...:backlog=...",
}


@frozen(kw_only=True)
class Listener:
    """
    TCP or UDP sockets to be opened.

    Its text is a description that reads back as the same listener.

    Args:
        protocol: ``tcp`` or ``udp``.
        host: an address of this host, or a name of it; empty for every address.
        port: 0 to 65,535, where 0 lets the system choose; or several, see
            ``wire.address``.
        backlog: how many TCP connections may wait to be accepted, above 0.
        certificates: what a TCP listener proves itself with; None without TLS.
    """

    protocol: Protocol
    host: str
    port: Ports
    backlog: int = BACKLOG
    certificates: Certificates | None = None

    def __str__(self) -> str:
        certificates = self.certificates
        if certificates is None:
            text = f"{self.protocol}:{self.port}"
        elif isinstance(certificates, Folder):
            text = f"tls:{description.quote(certificates.path)}:{self.port}"
        else:
            text = f"ssl:{self.port}{certificates}"
        if self.host:
            text += f":interface={description.quote(self.host)}"
        if self.backlog != BACKLOG:
            text += f":backlog={self.backlog}"
        return text


def inet_listener(
    positional: list[str], named: dict[str, str], text: str, what: str
) -> Listener:
    """
    Args:
        positional: the prefix, one of ``ARGUMENTS``, and what follows without a name.
        named: what follows with one.
        text: the whole description.
        what: the name under which it was given.

    Raises:
        BadValue: it means nothing.
    """
    prefix = positional[0]
    names = ARGUMENTS[prefix]
    options = description.by_name(positional, named, names)
    if options is None or not _NEEDED[prefix] <= options.keys() <= {*names}:
        raise BadValue(what, text, _FORMS[prefix])
    where = f"{what} {shown(text)}:"
    return Listener(
        protocol="udp" if prefix == "udp" else "tcp",
        host=address.host(options.get("interface", ""), f"{where} interface"),
        port=address.ports(options["port"], f"{where} port"),
        backlog=_backlog(options.get("backlog", str(BACKLOG)), f"{where} backlog"),
        certificates=certificates(options, where),
    )


def _backlog(text: str, what: str) -> int:
    # A backlog is a C int, and the kernel cuts it to somaxconn anyway.
    return address.port_number(text, what, lowest=1)
