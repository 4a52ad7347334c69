"""Settings as a configuration file that reads back as the same settings."""

import textwrap
from collections.abc import Iterable

import tomli_w
from attrs import Attribute

from ..settings import PLACES, SHORT_FORM, ListenerTable, Settings, knobs


def document(settings: Settings) -> str:
    """
    Returns:
        TOML with every knob that has a say: what ``listen`` replaces, or ``listen``
        itself, stands there as a comment. Tables come last.
    """
    idle: tuple[str, ...] = SHORT_FORM if settings.listen else ("listen",)
    if settings.listener:
        idle = PLACES
    entries = [
        _entry(knob, _plain(getattr(settings, knob.name)), knob.name in idle)
        for knob in knobs()
        if not knob.metadata["in_file_only"]
    ]
    return "\n".join([*entries, *map(_table, settings.listener)])


def _entry(knob: "Attribute[object]", value: object, is_idle: bool) -> str:
    lines = tomli_w.dumps({knob.name: value})
    meaning = textwrap.fill(knob.metadata["meaning"], 76) + "\n"
    return textwrap.indent(meaning, "# ") + textwrap.indent(lines, "# " * is_idle)


def _table(table: ListenerTable) -> str:
    given = {name: _plain(value) for name, value in table.given}
    return "[[listener]]\n" + tomli_w.dumps(given)


def _plain(value: object) -> object:
    """A value in a form that TOML has."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [str(item) for item in value]
    return value
