"""The reference of the settings, as Markdown: ``python -m tests.support.reference``."""

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
    return HEAD + "".join(
        f"| `{flag(knob.name)} {knob.metadata['form']}`".replace("YES|NO", "YES\\|NO")
        + f" | `{knob.name}` | `{variable(knob.name)}`"
        f" | {_default(knob.default)} | {knob.metadata['meaning']} |\n"
        for knob in knobs()
    )


def _default(value: object) -> str:
    if isinstance(value, bool):
        return "`yes`" if value else "`no`"
    if isinstance(value, tuple):
        return f"`{','.join(value)}`" if value else ""
    return f"`{value}`"


if __name__ == "__main__":
    print(reference(), end="")
