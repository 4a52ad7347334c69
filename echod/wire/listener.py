"""What a server listens on."""

import re
from collections.abc import Callable

from attrs import frozen

from ..errors import BadValue
from . import description, inet, local
from .form import is_unicode
from .inet import BACKLOG, PROTOCOLS, Listener, Protocol, inet_listener
from .inherited import InheritedListener, inherited_listener
from .local import UnixListener, unix_listener

__all__ = [
    "BACKLOG",
    "PROTOCOLS",
    "AnyListener",
    "Endpoint",
    "InheritedListener",
    "Listener",
    "OwnListener",
    "Protocol",
    "UnixListener",
]

# The C names of domains, as the lesson has them; there are more than a host has.
_DOMAIN = re.compile(r"[AP]F_\w+")
_DOMAINS = "tcp or udp (AF_INET, AF_INET6), unix or unixgram (AF_UNIX)"


@frozen
class Endpoint:
    """A stream listener that Twisted, or a plugin of it, opens by its description."""

    text: str

    def __str__(self) -> str:
        return self.text


#: What echod opens itself.
OwnListener = Listener | UnixListener | InheritedListener

AnyListener = OwnListener | Endpoint

_OWN: dict[str, Callable[..., OwnListener]] = {
    **dict.fromkeys(inet.ARGUMENTS, inet_listener),
    **dict.fromkeys(local.ARGUMENTS, unix_listener),
    "systemd": inherited_listener,
}


def listener(text: str, what: str = "listen") -> AnyListener:
    """
    Args:
        text: a description of one of echod's own (``tcp:PORT``, ``udp:PORT``,
            ``ssl:PORT``, ``tls:FOLDER:PORT``, ``unix:PATH``, ``unixgram:PATH``,
            ``systemd:name=NAME``), or any other of Twisted's server endpoint
            descriptions.
        what: the name under which it was given.

    Returns:
        What the description means. That the prefix of an ``Endpoint`` exists is
        known only when the endpoint is made.

    Raises:
        BadValue: it means nothing.
    """
    if not isinstance(text, str) or not is_unicode(text):
        raise BadValue(what, text, "a description such as tcp:65432")
    positional, named = description.split(text, what)
    prefix = positional[0] if positional else ""
    if prefix in _OWN:
        return _OWN[prefix](positional, named, text, what)
    if _DOMAIN.fullmatch(prefix):
        raise BadValue(what, text, _DOMAINS)
    if prefix.isidentifier():
        return Endpoint(text)
    raise BadValue(what, text, "tcp:PORT, udp:PORT or another description")
