r"""
Twisted's endpoint descriptions: ``prefix:argument:name=value``, with ``\`` before
a colon, an equals sign or a backslash that is meant as such.

Source: ``twisted.internet.endpoints.serverFromString``. The rules stand here again
because Twisted keeps its tokenizer to itself; a test holds the two against each other.
"""

from collections.abc import Mapping, Sequence

from ..errors import BadValue


def split(text: str, what: str = "listen") -> tuple[list[str], dict[str, str]]:
    """
    Args:
        text: a description.
        what: the name under which it was given.

    Returns:
        The arguments by position, the prefix first, and those by name.

    Raises:
        BadValue: it ends in the middle of an escape.
    """
    positional: list[str] = []
    named: dict[str, str] = {}
    name: str | None = None
    current = ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            escaped = next(characters, None)
            if escaped is None:
                raise BadValue(what, text, "a character after the last backslash")
            current += escaped
        elif character == "=" and name is None:
            name, current = current, ""
        elif character == ":":
            _keep(positional, named, name, current)
            name, current = None, ""
        else:
            current += character
    _keep(positional, named, name, current)
    return positional, named


def by_name(
    positional: Sequence[str], named: Mapping[str, str], names: Sequence[str]
) -> dict[str, str] | None:
    """
    Args:
        positional: the prefix, and arguments without a name.
        named: those with one.
        names: what the arguments without a name are called, in their order.

    Returns:
        All arguments by their names; None where one is there twice, or nameless.
    """
    arguments = positional[1:]
    options = {**named, **dict(zip(names, arguments, strict=False))}
    return options if len(options) == len(named) + len(arguments) else None


def _keep(
    positional: list[str], named: dict[str, str], name: str | None, value: str
) -> None:
    if name is None:
        positional.append(value)
    else:
        named[name] = value


def quote(argument: str) -> str:
    """
    Returns:
        ``argument`` as it must be written inside a description.
    """
    for special in "\\:=":
        argument = argument.replace(special, "\\" + special)
    return argument
