"""
Every exception that echod raises on purpose, and the exit code each one means.

A message is one line that names the place, what was there and what is wanted.
Source of the codes: sysexits(3).
"""

EX_USAGE = 64
EX_NOHOST = 68
EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_OSERR = 71
EX_CANTCREAT = 73
EX_IOERR = 74
EX_PROTOCOL = 76
EX_NOPERM = 77
EX_CONFIG = 78


class EchodError(Exception):
    """What went wrong, in one line for the person who can mend it."""

    exit_code: int = EX_SOFTWARE


class UsageError(EchodError):
    """The command line asks for something that cannot be."""

    exit_code = EX_USAGE


class ConfigError(EchodError):
    """The configuration file or the environment asks for something that cannot be."""

    exit_code = EX_CONFIG


class BadValue(UsageError, ValueError):
    """
    One value is not of the form that is wanted.

    Args:
        what: the name under which the value was given, as its writer knows it:
            ``--port``, ``ECHOD_PORT``, ``/etc/echod/echod.toml: port``.
        value: what was there.
        wanted: what would be right.
    """

    def __init__(self, what: str, value: object, wanted: str) -> None:
        super().__init__(f"{what} is {shown(value)}; want {wanted}")


class CannotStart(EchodError):
    """The place where echod should write or run cannot be used."""

    exit_code = EX_CANTCREAT


class CannotListen(EchodError):
    """
    A listener cannot be opened; nothing of the service is left running.

    Args:
        listener: its description.
        reason: why not, in the system's words.
        wanted: what would be right.
        exit_code: one of the EX_ values.
    """

    def __init__(
        self, listener: object, reason: str, wanted: str, exit_code: int
    ) -> None:
        super().__init__(f"cannot listen on {shown(listener)}: {reason}; want {wanted}")
        self.exit_code = exit_code


class CannotReach(EchodError):
    """The client's target does not exist, does not answer, or does not listen."""

    exit_code = EX_UNAVAILABLE


class UnknownHost(CannotReach):
    """The client's target has no address."""

    exit_code = EX_NOHOST


class NotAnEcho(EchodError):
    """The client's target answered with other bytes than it was sent."""

    exit_code = EX_PROTOCOL


class BrokenPipe(EchodError):
    """Standard input or output failed."""

    exit_code = EX_IOERR


#: A value longer than this is cut in a message: the message stays one line.
MAX_SHOWN_CHARACTERS = 200


def shown(value: object) -> str:
    """
    Returns:
        ``value`` as text that is safe in one line: as it stands when it is plain,
        quoted and escaped when it is empty, begins or ends with a space, or holds
        control characters.
    """
    try:
        text = str(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits.
        text = "a very large number"
    plain = text.isprintable() and text.strip() == text != ""
    text = text if plain else ascii(text)
    if len(text) > MAX_SHOWN_CHARACTERS:
        return text[:MAX_SHOWN_CHARACTERS] + "..."
    return text


def explain(error: BaseException) -> str:
    """
    Returns:
        The reason of a failed system call in the system's words, in lower case as a
        part of a sentence; of another error its message, or else its name.
    """
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(reason).lower()
