"""UNIX sockets to be opened; see unix(7)."""

import re
from typing import Literal, cast

from attrs import frozen

from ..errors import BadValue, shown
from . import address, description
from .inet import BACKLOG

UnixProtocol = Literal["unix", "unixgram"]

# Owner and group only: a socket is as private as what it is asked for.
MODE = 0o660

# The size of sun_path, which is 108, less the NUL that ends the name of a file.
MAX_PATH_BYTES = 107

# The arguments of each description, in the order in which they may go without a name;
# those of unix: are Twisted's. The others always have one.
ARGUMENTS = {
    "unix": ("address", "mode", "backlog", "lockfile"),
    "unixgram": ("address", "mode"),
}
_NAMED = {"owner", "group"}
_FORMS = {
    "unix": "unix:PATH:mode=...:owner=...:group=...:backlog=...",
    "unixgram": "unixgram:PATH:mode=...:owner=...:group=...",
}

_MODE = re.compile("(0o?)?[0-7]{1,3}")


@frozen(kw_only=True)
class UnixListener:
    """
    A UNIX socket to be opened.

    Its text is a description that reads back as the same listener.

    Args:
        protocol: ``unix`` for streams, ``unixgram`` for datagrams.
        path: of the socket's file; a leading ``@`` makes it an abstract name, which
            has no file, and so neither mode nor owner nor group.
        mode: who may connect: 0 to 0o777, whatever the umask.
        owner: name or number of a user; empty for whom it is made by.
        group: name or number of a group; empty for that of whom it is made by.
        backlog: how many connections may wait to be accepted, above 0.
    """

    protocol: UnixProtocol
    path: str
    mode: int = MODE
    owner: str = ""
    group: str = ""
    backlog: int = BACKLOG

    @property
    def is_abstract(self) -> bool:
        """Whether it has a name and no file."""
        return self.path.startswith("@")

    def __str__(self) -> str:
        text = f"{self.protocol}:{description.quote(self.path)}"
        if self.mode != MODE:
            text += f":mode={self.mode:o}"
        if self.owner:
            text += f":owner={description.quote(self.owner)}"
        if self.group:
            text += f":group={description.quote(self.group)}"
        if self.backlog != BACKLOG:
            text += f":backlog={self.backlog}"
        return text


def unix_listener(
    positional: list[str], named: dict[str, str], text: str, what: str
) -> UnixListener:
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
    known = {*names} | _NAMED
    if options is None or not {"address"} <= options.keys() <= known:
        raise BadValue(what, text, _FORMS[prefix])
    where = f"{what} {shown(text)}:"
    path = unix_path(options["address"], f"{where} path")
    if path.startswith("@"):
        _check_has_no_file(options, where)
    if options.get("lockfile", "0") not in ("0", "1"):
        raise BadValue(f"{where} lockfile", options["lockfile"], "0 or 1")
    backlog = options.get("backlog", str(BACKLOG))
    return UnixListener(
        protocol=cast("UnixProtocol", prefix),
        path=path,
        mode=_mode(options.get("mode", f"{MODE:o}"), f"{where} mode"),
        owner=options.get("owner", ""),
        group=options.get("group", ""),
        backlog=address.port_number(backlog, f"{where} backlog", lowest=1),
    )


def system_name(path: str) -> str:
    """
    Returns:
        What the system calls the socket of a ``path``: the @ of an abstract name is a
        NUL there.
    """
    return "\0" + path[1:] if path.startswith("@") else path


def unix_path(text: str, what: str = "path") -> str:
    """
    The form of the path of a socket's file, or of an abstract name with @ before it.

    Raises:
        BadValue: it is neither.
    """
    if text in ("", "@"):
        raise BadValue(what, text, "the path of a socket, or @ and a name")
    try:
        size = len(text.removeprefix("@").encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        size = -1
    if size < 0 or "\0" in text:
        raise BadValue(what, text, "text that can be the name of a file")
    if size > MAX_PATH_BYTES:
        raise BadValue(what, text, f"at most {MAX_PATH_BYTES} bytes, not {size}")
    return text


def _check_has_no_file(options: dict[str, str], where: str) -> None:
    for name in ("mode", "owner", "group"):
        if name in options:
            wanted = "none: an abstract name has no file"
            raise BadValue(f"{where} {name}", options[name], wanted)


def _mode(text: str, what: str) -> int:
    if not _MODE.fullmatch(text):
        raise BadValue(what, text, "octal digits, 0 to 777")
    return int(text, 8)
