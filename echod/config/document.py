"""Settings as a configuration file that reads back as the same settings."""

import textwrap

import tomli_w
from attrs import Attribute

from ..settings import SHORT_FORM, Settings, knobs


def document(settings: Settings) -> str:
    """
    Returns:
        TOML with every knob that has a say: what ``listen`` replaces, or ``listen``
        itself, stands there as a comment.
    """
    idle = SHORT_FORM if settings.listen else ("listen",)
    return "\n".join(_entry(knob, settings, knob.name in idle) for knob in knobs())


def _entry(knob: "Attribute[object]", settings: Settings, is_idle: bool) -> str:
    value = getattr(settings, knob.name)
    if isinstance(value, tuple):
        value = [str(item) for item in value]
    lines = tomli_w.dumps({knob.name: value})
    meaning = textwrap.fill(knob.metadata["meaning"], 76) + "\n"
    return textwrap.indent(meaning, "# ") + textwrap.indent(lines, "# " * is_idle)
