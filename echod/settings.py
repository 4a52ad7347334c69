"""
The settings: every knob of echod declared once, with its default, form and help.

The options of ``twistd echod`` and ``echod serve``, the keys of the configuration
file, the ``ECHOD_*`` variables and the reference in the documentation are all
derived from the fields of ``Settings``.
"""

import math
from collections.abc import Sequence
from typing import Literal, cast, get_args

from attrs import Attribute, field, fields, frozen

from .errors import BadValue, UsageError
from .wire import address, listener
from .wire.listener import PROTOCOLS, Endpoint, Listener, Protocol

#: How the bytes get in and out: see ``transport.choice``.
Transport = Literal["auto", "fast", "stock"]

# More than a year says that somebody did not mean seconds.
_MOST_SECONDS = 366 * 86_400

_YES = ("yes", "true", "on", "1")
_NO = ("no", "false", "off", "0")


# A form takes a value as it was written (text from a command line, or a value
# from TOML or Python) and the name under which it was given; it returns the
# value, or raises BadValue.


def protocols(
    value: str | Sequence[str], what: str = "protocols"
) -> tuple[Protocol, ...]:
    """The form of a choice among ``tcp`` and ``udp``: a list, or text with commas."""
    chosen = _several(value, what, f"a choice of {', '.join(PROTOCOLS)}")
    for name in chosen:
        if name not in PROTOCOLS or chosen.count(name) > 1:
            raise BadValue(what, name, f"each of {', '.join(PROTOCOLS)} at most once")
    return cast("tuple[Protocol, ...]", tuple(chosen))


def listeners(
    value: str | Sequence[str | Listener | Endpoint], what: str = "listen"
) -> tuple[Listener | Endpoint, ...]:
    """The form of a list of endpoint descriptions; one may stand alone."""
    one = (value,) if isinstance(value, str) else value
    if not isinstance(one, Sequence):
        raise BadValue(what, value, "a list of descriptions such as tcp:65432")
    return tuple(
        item if isinstance(item, Listener | Endpoint) else listener.listener(item, what)
        for item in one
    )


def yes_or_no(value: bool | str, what: str = "value") -> bool:
    """The form of a choice between two."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word not in _YES + _NO:
        raise BadValue(what, value, "yes or no")
    return word in _YES


def transport(value: str, what: str = "transport") -> Transport:
    """The form of a choice of transports."""
    if value not in get_args(Transport):
        raise BadValue(what, value, "auto, fast or stock")
    return cast("Transport", value)


def idle_timeout(value: float | str, what: str = "idle_timeout") -> float:
    """The form of a length of time: a number of seconds, with a fraction or without."""
    try:
        length_s = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        length_s = math.nan
    if not 0 <= length_s <= _MOST_SECONDS:
        raise BadValue(what, value, f"seconds, 0 to {_MOST_SECONDS}")
    return length_s


def _several(value: str | Sequence[str], what: str, wanted: str) -> list[str]:
    """The items of a list, or of text with commas: at least one."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, Sequence) or not items:
        raise BadValue(what, value, wanted)
    return [item.strip() if isinstance(item, str) else item for item in items]


def _knob(meaning: str, form: str, *, repeatable: bool = False) -> dict[str, object]:
    """What a person needs to know of a knob: one line of meaning, and its form."""
    return {"meaning": meaning, "form": form, "repeatable": repeatable}


@frozen(kw_only=True)
class Settings:
    """
    How one echo service behaves.

    A value may be given in any form that the command line or the file takes.

    Raises:
        BadValue: a value is not of its knob's form.
        UsageError: ``listen`` stands beside ``host``, ``port`` or ``protocols``.
    """

    host: str = field(
        default="127.0.0.1",
        converter=address.host,
        metadata=_knob(
            "Address or name of this host to listen on; empty for every IPv4 address.",
            "ADDRESS",
        ),
    )
    port: int = field(
        default=65432,
        converter=address.port_number,
        metadata=_knob(
            "Port to listen on, 0 to 65535; 0 lets the system choose.", "PORT"
        ),
    )
    protocols: tuple[Protocol, ...] = field(
        default=PROTOCOLS,
        converter=protocols,
        metadata=_knob("What to serve: tcp, udp, or both.", "LIST"),
    )
    listen: tuple[Listener | Endpoint, ...] = field(
        default=(),
        converter=listeners,
        metadata=_knob(
            "Instead of host, port and protocols: a listener such as "
            "tcp:65432:interface=127.0.0.1, udp:65432 or any of Twisted's server "
            "endpoint descriptions. May be given several times.",
            "DESCRIPTION",
            repeatable=True,
        ),
    )
    log_connections: bool = field(
        default=True,
        converter=yes_or_no,
        metadata=_knob(
            "Whether the begin and the end of TCP connections are logged, with 80 "
            "lines a second at most: yes or no.",
            "YES|NO",
        ),
    )

    idle_timeout: float = field(
        default=300.0,
        converter=idle_timeout,
        metadata=_knob(
            "Seconds after which a connection ends on which nothing has come in and "
            "nothing owed has gone out; 0 for never.",
            "SECONDS",
        ),
    )
    transport: Transport = field(
        default="auto",
        converter=transport,
        metadata=_knob(
            "How bytes get in and out: fast (echod's own loop, sending at once and "
            "datagrams in batches; needs Linux), stock (Twisted's), or auto for fast "
            "where it exists.",
            "KIND",
        ),
    )

    def __attrs_post_init__(self) -> None:
        default = {name: getattr(fields(Settings), name).default for name in SHORT_FORM}
        changed = [name for name in SHORT_FORM if getattr(self, name) != default[name]]
        if self.listen and changed:
            raise two_ways("listen", changed[0])

    @property
    def listeners(self) -> tuple[Listener | Endpoint, ...]:
        """What to listen on, however it was said."""
        return self.listen or tuple(
            Listener(protocol=protocol, host=self.host, port=self.port)
            for protocol in self.protocols
        )


#: The knobs that ``listen`` replaces.
SHORT_FORM = ("host", "port", "protocols")


def two_ways(listen: str, other: str) -> UsageError:
    """
    Args:
        listen: the name under which ``listen`` was given.
        other: the name under which one of the short form was given.
    """
    return UsageError(
        f"{listen} replaces host, port and protocols, and {other} is there as well; "
        "want one of the two ways"
    )


def knobs() -> tuple["Attribute[object]", ...]:
    """
    Returns:
        One attrs attribute a knob, in the order in which they are declared. Its
        ``metadata`` has ``meaning`` and ``form`` (text for a person) and
        ``repeatable``; its ``converter`` is the knob's form.
    """
    return cast("tuple[Attribute[object], ...]", fields(Settings))
