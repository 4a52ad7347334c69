"""A value as somebody gave it, and where."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ..errors import ConfigError, UsageError
from ..settings import knobs

_FORMS = {knob.name: knob.converter for knob in knobs()}


@frozen
class Given:
    """
    Args:
        place: the name under which the value was given, as its writer knows it.
        value: what was written there.
        on_command_line: whether a wrong value is wrong usage, not configuration.
    """

    place: str
    value: Any
    on_command_line: bool = False

    def read(self, knob: str) -> object:
        """
        Returns:
            The value that is meant for ``knob``.

        Raises:
            EchodError: it is not of the knob's form.
        """
        form = _FORMS[knob]
        assert callable(form)
        try:
            return form(self.value, self.place)
        except UsageError as wrong:
            if self.on_command_line:
                raise
            raise ConfigError(str(wrong)) from wrong


#: Values by the name of their knob.
Layer = Mapping[str, Given]
