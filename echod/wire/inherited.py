"""Sockets that a server was given, as its configuration names them."""

import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from ..errors import BadValue, shown
from . import description
from .certificates import CERTIFICATE_ARGUMENTS, Certificates, certificates

#: The address families that are served, without the AF_ of their constants.
DOMAINS = ("INET", "INET6", "UNIX")

#: The kinds of sockets that are served.
TYPES = ("stream", "datagram")

# systemd's FDNAME_MAX (src/basic/fd-util.h of v252).
_MAX_NAME_CHARACTERS = 255

# The arguments of a description; Twisted takes the first two without a name, too.
_ARGUMENTS = ("domain", "index", "name", "type", *CERTIFICATE_ARGUMENTS)
_POSITIONAL = _ARGUMENTS[:2]
_FORM = (
    "systemd:name=NAME or systemd:index=NUMBER, and domain=..., type=..., "
    "privateKey=... or certificates=... or not"
)

# More descriptors than Linux lets a process have (fs.nr_open is 1,048,576).
_INDEX = re.compile("[0-9]{1,7}")


@frozen(kw_only=True)
class InheritedListener:
    """
    Sockets that whoever started echod has opened for it.

    Its text is a description that reads back as the same listener; without a type
    and with a domain, also for Twisted.

    Args:
        name: what they are called: ``FileDescriptorName=`` of a systemd socket unit.
        index: 0 for the first of all; there is either a name or an index.
        domain: one of ``DOMAINS``, for sockets of that address family only.
        type: one of ``TYPES``, for sockets of that kind only.
        certificates: what the streams among them prove themselves with; None without
            TLS.
    """

    name: str = ""
    index: int | None = None
    domain: str = ""
    type: str = ""
    certificates: Certificates | None = None

    def __str__(self) -> str:
        text = "systemd"
        if self.domain:
            text += f":domain={self.domain}"
        if self.index is None:
            text += f":name={description.quote(self.name)}"
        else:
            text += f":index={self.index}"
        if self.type:
            text += f":type={self.type}"
        return text + ("" if self.certificates is None else str(self.certificates))


def inherited_listener(
    positional: Sequence[str], named: Mapping[str, str], text: str, what: str
) -> InheritedListener:
    """
    Args:
        positional: the arguments of a description by position, ``systemd`` first.
        named: those by name.
        text: the description, for messages.
        what: the name under which it was given.

    Returns:
        What the description means. Whether there are such sockets is known only to
        the process that is to serve them.

    Raises:
        BadValue: it means nothing.
    """
    options = description.by_name(positional, named, _POSITIONAL)
    if options is None or not options.keys() <= {*_ARGUMENTS}:
        raise BadValue(what, text, _FORM)
    if ("name" in options) == ("index" in options):
        raise BadValue(what, text, _FORM)
    where = f"{what} {shown(text)}:"
    return InheritedListener(
        name=_name(options["name"], f"{where} name") if "name" in options else "",
        index=_index(options["index"], f"{where} index")
        if "index" in options
        else None,
        domain=_one_of(DOMAINS, options, "domain", where),
        type=_one_of(TYPES, options, "type", where),
        certificates=certificates(options, where),
    )


def _name(text: str, what: str) -> str:
    is_plain = text.isprintable() and ":" not in text
    if not (is_plain and 1 <= len(text) <= _MAX_NAME_CHARACTERS):
        wanted = f"1 to {_MAX_NAME_CHARACTERS} printable characters, none of them a :"
        raise BadValue(what, text, wanted)
    return text


def _index(text: str, what: str) -> int:
    if not _INDEX.fullmatch(text):
        raise BadValue(what, text, "0 for the first socket, 1 for the second...")
    return int(text)


def _one_of(
    choices: Sequence[str], options: Mapping[str, str], name: str, where: str
) -> str:
    if name in options and options[name] not in choices:
        wanted = f"{', '.join(choices[:-1])} or {choices[-1]}"
        raise BadValue(f"{where} {name}", options[name], wanted)
    return options.get(name, "")
