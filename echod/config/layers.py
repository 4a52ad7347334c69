"""
From words to one frozen object.

Defaults give way to the file, the file to the environment, and the environment to
the command line.
"""

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..settings import PLACES, SHORT_FORM, Settings
from ..settings.knob import two_ways
from . import environment, file
from .given import Given, Layer


def settings(
    arguments: Mapping[str, object],
    variables: Mapping[str, str],
    path: str | None = None,
) -> Settings:
    """
    Args:
        arguments: what the command line gives, by the name of the knob.
        variables: the process's environment.
        path: the configuration file; where it is None, ``ECHOD_CONFIG`` names it.

    Returns:
        The settings that are meant.

    Raises:
        EchodError: a value, a key or the file is wrong; the message says where.
    """
    if path is None:
        path = variables.get(environment.CONFIG) or None
    given: Layer = {
        **({} if path is None else file.read(path)),
        **environment.read(variables),
        **{knob: Given(flag(knob), arguments[knob], True) for knob in arguments},
    }
    _reject_two_ways(given)
    values: dict[str, Any] = {knob: item.read(knob) for knob, item in given.items()}
    return Settings(**values)


def flag(knob: str) -> str:
    """The option that sets ``knob``."""
    return "--" + knob.replace("_", "-")


def _reject_two_ways(given: Layer) -> None:
    for ways, replaced in (("listen", SHORT_FORM), ("listener", PLACES)):
        chosen = given.get(ways)
        others = [given[it] for it in replaced if it in given and given[it].value != []]
        # An empty list says nothing, as in Settings itself.
        if chosen is not None and chosen.value and others:
            other = others[-1]
            error = two_ways(chosen.place, replaced, other.place)
            is_usage = chosen.on_command_line or other.on_command_line
            raise error if is_usage else ConfigError(str(error))
