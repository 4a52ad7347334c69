"""The ``[[listener]]`` tables of the configuration file."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import fields, frozen

from ..errors import BadValue
from .knob import no_setting, two_ways
from .listeners import SHORT_FORM, ListenerSettings

_KNOBS = {knob.name: knob for knob in fields(ListenerSettings)}


@frozen
class ListenerTable:
    """
    One ``[[listener]]`` of the configuration file.

    Attributes:
        given: what it says, by the names of ``ListenerSettings``.
    """

    given: tuple[tuple[str, Any], ...]


def tables(
    value: Sequence[Mapping[str, object] | ListenerTable], what: str = "listener"
) -> tuple[ListenerTable, ...]:
    """The form of a list of tables, each with knobs of ``ListenerSettings``."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise BadValue(what, value, "a list of tables")
    return tuple(_table(it, f"{what}[{place}]") for place, it in enumerate(value))


def _table(value: Mapping[str, object] | ListenerTable, what: str) -> ListenerTable:
    if isinstance(value, ListenerTable):
        return value
    if not isinstance(value, Mapping):
        raise BadValue(what, value, 'a table such as {listen = "tcp:65432"}')
    for key in value:
        if key not in _KNOBS:
            raise no_setting(key, [*_KNOBS], what)
    given = {key: _read(key, it, f"{what}.{key}") for key, it in value.items()}
    others = [key for key in SHORT_FORM if key in given]
    if given.get("listen") and others:
        raise two_ways(f"{what}.listen", SHORT_FORM, f"{what}.{others[0]}")
    return ListenerTable(tuple(given.items()))


def _read(knob: str, value: object, what: str) -> object:
    form: Any = _KNOBS[knob].converter
    return form(value, what)
