"""One knob: what is said of it, and of its misuse."""

from collections.abc import Sequence
from difflib import get_close_matches

from ..errors import EchodError, UsageError, shown


def knob(
    meaning: str, form: str, *, repeatable: bool = False, in_file_only: bool = False
) -> dict[str, object]:
    """What a person needs to know of a knob: its meaning, and its form."""
    return {
        "meaning": meaning,
        "form": form,
        "repeatable": repeatable,
        "in_file_only": in_file_only,
    }


def two_ways(ways: str, replaced: Sequence[str], other: str) -> UsageError:
    """
    Args:
        ways: the name under which one way to say what to listen on was given.
        replaced: the knobs that it replaces.
        other: the name under which one of them was given.
    """
    *first, last = replaced
    return UsageError(
        f"{ways} replaces {', '.join(first)} and {last}, and {other} is there as well; "
        "want one of the two ways"
    )


def no_setting(name: str, names: Sequence[str], where: str) -> EchodError:
    """
    Args:
        name: what is no knob.
        names: what would be.
        where: the place at which it stands.
    """
    near = get_close_matches(name, names, n=1) or names
    msg = f"{where}: there is no setting {shown(name)}; want {', '.join(near)}"
    return UsageError(msg)
