"""All the knobs."""

from typing import Literal, cast, get_args

from attrs import Attribute, field, fields, frozen

from ..wire import form
from ..wire.listener import AnyListener
from .knob import knob, two_ways
from .listeners import PLACES, ListenerSettings
from .table import ListenerTable, tables

#: How the bytes get in and out: see ``transport.choice``.
Transport = Literal["auto", "fast", "stock"]


def transport(value: str, what: str = "transport") -> Transport:
    """The form of a choice of transports."""
    return cast("Transport", form.one_of(value, what, get_args(Transport)))


@frozen(kw_only=True)
class Settings(ListenerSettings):
    """
    How one echo service behaves.

    What it says for listeners holds for each ``listener`` that does not say otherwise.

    Raises:
        BadValue: a value is not of its knob's form.
        UsageError: there are two ways in which it is said what to listen on.
    """

    log_connections: bool = field(
        default=True,
        converter=form.yes_or_no,
        metadata=knob(
            "Whether the begin and the end of connections are logged, with 80 lines a "
            "second at most: yes or no.",
            "YES|NO",
        ),
    )
    transport: Transport = field(
        default="auto",
        converter=transport,
        metadata=knob(
            "How bytes get in and out: fast (echod's own loop, sending at once and "
            "datagrams in batches; needs Linux), stock (Twisted's), or auto for fast "
            "where it exists.",
            "KIND",
        ),
    )
    listener: tuple[ListenerTable, ...] = field(
        default=(),
        converter=tables,
        metadata=knob(
            "Instead of host, port, protocols and listen: tables that say what to "
            "listen on, each with terms of its own.",
            "TABLES",
            in_file_only=True,
        ),
    )

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        changed = [name for name in PLACES if self._is_changed(name)]
        if self.listener and changed:
            raise two_ways("listener", PLACES, changed[0])

    @property
    def listeners(self) -> tuple[AnyListener, ...]:
        """What to listen on, of all places."""
        if not self.listener:
            return super().listeners
        return tuple(it for place in self.places for it in place.listeners)

    @property
    def places(self) -> tuple[ListenerSettings, ...]:
        """The listeners that have the same terms, and these terms."""
        if not self.listener:
            return (self,)
        terms = {
            knob.name: getattr(self, knob.name)
            for knob in fields(ListenerSettings)
            if knob.name not in PLACES
        }
        return tuple(
            ListenerSettings(**{**terms, **dict(table.given)})
            for table in self.listener
        )


def knobs() -> tuple["Attribute[object]", ...]:
    """
    Returns:
        One attrs attribute a knob, in the order in which they are declared. Its
        ``metadata`` has ``meaning`` and ``form`` (text for a person), ``repeatable``
        and ``in_file_only``; its ``converter`` is the knob's form.
    """
    return cast("tuple[Attribute[object], ...]", fields(Settings))
