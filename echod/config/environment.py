"""The ``ECHOD_*`` variables: one a knob, and ``ECHOD_CONFIG`` for the file."""

from collections.abc import Mapping

from ..errors import ConfigError, shown
from ..settings import knobs
from .given import Given, Layer

PREFIX = "ECHOD_"
CONFIG = PREFIX + "CONFIG"


def read(environment: Mapping[str, str]) -> Layer:
    """
    Args:
        environment: variables by name; those that are not echod's are passed over.

    Returns:
        What the variables give. A repeatable knob takes several values, parted by
        spaces.

    Raises:
        ConfigError: there is an ``ECHOD_`` variable that is no knob.
    """
    by_variable = {
        variable(knob.name): knob
        for knob in knobs()
        if not knob.metadata["in_file_only"]
    }
    given = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name == CONFIG:
            continue
        if name not in by_variable:
            msg = f"there is no setting {shown(name)}; want {', '.join(by_variable)}"
            raise ConfigError(msg)
        knob = by_variable[name]
        repeatable = knob.metadata["repeatable"]
        given[knob.name] = Given(name, value.split() if repeatable else value)
    return given


def variable(knob: str) -> str:
    """The variable that sets ``knob``."""
    return PREFIX + knob.upper()
