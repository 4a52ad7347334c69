"""
The forms of settings that are neither addresses nor listeners.

A form takes a value as it was written (text from a command line, or a value from TOML
or Python) and the name under which it was given; it returns the value, or raises
BadValue.
"""

import math
from collections.abc import Sequence

from ..errors import BadValue

# More than a year says that somebody did not mean seconds.
_MOST_SECONDS = 366 * 86_400

_YES = ("yes", "true", "on", "1")
_NO = ("no", "false", "off", "0")


def yes_or_no(value: bool | str, what: str = "value") -> bool:
    """The form of a choice between two."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word not in _YES + _NO:
        raise BadValue(what, value, "yes or no")
    return word in _YES


def seconds(value: float | str, what: str = "value") -> float:
    """The form of a length of time: a number of seconds, with a fraction or without."""
    try:
        length_s = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        length_s = math.nan
    if not 0 <= length_s <= _MOST_SECONDS:
        raise BadValue(what, value, f"seconds, 0 to {_MOST_SECONDS}")
    return length_s


def one_of(value: str, what: str, names: Sequence[str]) -> str:
    """The form of a choice among ``names``."""
    if value not in names:
        *first, last = names
        raise BadValue(what, value, f"{', '.join(first)} or {last}")
    return value


def text(value: str, what: str = "value") -> str:
    """The form of what may be any text: the name of a file."""
    if not isinstance(value, str) or "\0" in value or not is_unicode(value):
        raise BadValue(what, value, "text")
    return value


def is_unicode(text: str) -> bool:
    """
    Returns:
        Whether ``text`` can be written in UTF-8, as a configuration file is; Python has
        the bytes of a command line that cannot as lone surrogates.
    """
    return not any("\ud800" <= it <= "\udfff" for it in text)


def texts(value: str | Sequence[str], what: str = "value") -> tuple[str, ...]:
    """The form of a list of texts, or of one text with commas; it may be empty."""
    return tuple(several(value, what, "a list of texts")) if value else ()


def several(value: str | Sequence[str], what: str, wanted: str) -> list[str]:
    """
    Returns:
        The items of a list, or of text with commas: at least one.

    Raises:
        BadValue: it is neither, or has none.
    """
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, Sequence) or not items:
        raise BadValue(what, value, wanted)
    return [item.strip() if isinstance(item, str) else item for item in items]
