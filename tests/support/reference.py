"""The reference of the settings, as Markdown: ``python -m tests.support.reference``."""

from collections.abc import Iterable
from typing import Any

from attrs import Attribute

from echod.config.environment import variable
from echod.config.layers import flag
from echod.settings import knobs

HEAD = """\
| option | in the file | in the environment | default | |
|---|---|---|---|---|
"""


def reference() -> str:
    """
    Returns:
        A table with a row a knob.
    """
    return HEAD + "".join(_row(knob) for knob in knobs())


def _row(knob: "Attribute[Any]") -> str:
    meaning = knob.metadata["meaning"]
    if knob.metadata["in_file_only"]:
        return f"| | `[[{knob.name}]]` | | | {meaning} |\n"
    form = knob.metadata["form"].replace("|", "\\|")
    return (
        f"| `{flag(knob.name)} {form}` | `{knob.name}` | `{variable(knob.name)}`"
        f" | {_default(knob.default)} | {meaning} |\n"
    )


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "`yes`" if value else "`no`"
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = ",".join(value)
    return f"`{value}`" if value != "" else ""


if __name__ == "__main__":
    print(reference(), end="")
