"""twistd's face of echod: the options of ``twistd echod``, and what they make."""

import os
import platform
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import twisted
from attrs import Attribute
from twisted.logger import Logger
from twisted.python import usage

from . import __version__
from .command.output import answer, complain
from .config import layers
from .config.document import document
from .errors import (
    EX_CANTCREAT,
    EX_NOPERM,
    CannotStart,
    EchodError,
    UsageError,
    explain,
    shown,
)
from .service import EchoService
from .settings import Settings, knobs

_log = Logger()


def _parameter(knob: "Attribute[Any]") -> list[str | None]:
    """A knob as ``usage.Options`` takes it: long name, short name, default, help."""
    return [layers.flag(knob.name)[2:], None, None, _help(knob)]


def _help(knob: "Attribute[Any]") -> str:
    default = knob.default
    if isinstance(default, bool):
        default = "yes" if default else "no"
    elif isinstance(default, Iterable) and not isinstance(default, str):
        default = ",".join(default)
    suffix = f" [default: {default}]" if default else ""
    return str(knob.metadata["meaning"]) + suffix


_COMMAND_LINE = [knob for knob in knobs() if not knob.metadata["in_file_only"]]


class Options(usage.Options):
    """
    The command line of ``twistd echod`` and of ``echod serve``.

    A wrong one ends the process with one line on standard error.

    Attributes:
        settings: what the command line, the environment and the file say together.
    """

    synopsis = "[options]"
    longdesc = (
        "An echo service that returns every byte, over TCP, UDP, TLS and UNIX sockets. "
        "Each option may "
        "also stand in a TOML file (--config) or, as ECHOD_PORT and so on, in the "
        "environment; the command line wins over the environment, and the "
        "environment over the file."
    )
    optParameters = [
        *(_parameter(knob) for knob in _COMMAND_LINE if knob.name != "listen"),
        ["config", None, None, "A TOML file of settings; ECHOD_CONFIG names one too."],
    ]
    optFlags = [
        ["check-config", None, "Say what would be listened on, bind nothing, and end."],
        ["print-config", None, "Print the settings as a TOML file, and end."],
    ]
    settings: Settings

    def opt_listen(self, description: str) -> None:
        self.setdefault("listen", []).append(description)

    opt_listen.__doc__ = "".join(_help(it) for it in knobs() if it.name == "listen")

    def opt_version(self) -> NoReturn:
        """Print echod's version, and end."""
        answer(
            f"echod {__version__} (Twisted {twisted.__version__}, "
            f"Python {platform.python_version()})\n"
        )
        raise SystemExit

    def opt_help(self) -> NoReturn:
        """Print this text, and end."""
        answer(f"{self}\n")
        raise SystemExit

    def parseArgs(self, *rest: str) -> None:
        if rest:
            msg = f"there is an argument {shown(rest[0])}; want options only"
            raise usage.UsageError(msg)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise end(UsageError(f"{shown(error)}; see --help")) from error
        except EchodError as error:
            raise end(error) from error

    def postOptions(self) -> None:
        names = [knob.name for knob in _COMMAND_LINE]
        written = {name: self.get(layers.flag(name)[2:]) for name in names}
        arguments = {name: it for name, it in written.items() if it is not None}
        self.settings = layers.settings(arguments, os.environ, self["config"])
        if self["print-config"]:
            answer(document(self.settings))
            raise SystemExit
        if self["check-config"]:
            check(self.settings)
            raise SystemExit
        # Before twistd reads the pid file that is there.
        check_places(self.parent or {})


def check(settings: Settings) -> None:
    """
    Print what each listener resolves to, and bind nothing.

    Raises:
        EchodError: a listener cannot be what it says.
    """
    from twisted.internet import reactor

    for line in EchoService(settings, reactor).resolved():
        answer(f"{line}\n")


class StartFailed(SystemExit, Exception):
    """
    The end of a process whose service cannot start.

    An Exception, so that twistd takes its pid file away and tells the waiting parent
    of a daemon; and a SystemExit, so that it ends with the right code and no traceback.
    """

    def __init__(self, error: EchodError) -> None:
        super().__init__(error.exit_code)
        self.error = error

    def __str__(self) -> str:
        return str(self.error)


def end(error: EchodError) -> StartFailed:
    """
    Returns:
        What to raise; the person at the terminal has been told.
    """
    complain(str(error))
    return StartFailed(error)


class ProcessService(EchoService):
    """The echo service of a process that is there for nothing else."""

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except EchodError as error:
            _log.critical("{error}", error=error)
            raise end(error) from error


def makeService(options: Options) -> ProcessService:
    """
    Args:
        options: a parsed command line.

    Returns:
        A service that ends the process when it cannot start.
    """
    from twisted.internet import reactor

    try:
        service = ProcessService(options.settings, reactor)
    except EchodError as error:
        raise end(error) from error
    return service


def check_places(twistd: Mapping[str, Any]) -> None:
    """
    Args:
        twistd: twistd's own options.

    Raises:
        CannotStart: twistd would fail with a traceback when it writes its files.
    """
    if twistd.get("chroot"):
        _check_folder("--chroot", Path(twistd["chroot"]), os.X_OK)
        return
    logfile = twistd.get("logfile")
    if "nodaemon" in twistd and not (twistd["nodaemon"] or twistd["syslog"]):
        logfile = logfile or "twistd.log"
    _check_file("--pidfile", twistd.get("pidfile"))
    _check_file("--logfile", None if logfile == "-" else logfile)
    _check_folder("--rundir", Path(twistd.get("rundir") or "."), os.X_OK)


def _check_file(option: str, path: str | None) -> None:
    if not path:
        return
    place = f"{option} {shown(path)}"
    if os.path.exists(path):
        if not os.access(path, os.R_OK | os.W_OK) or os.path.isdir(path):
            raise _unusable(place, "it cannot be written", EX_NOPERM)
    else:
        folder = Path(path).absolute().parent
        _check_folder(place, folder, os.W_OK | os.X_OK)
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            problem = f"folder {shown(folder)} takes no file ({explain(error)})"
            raise _unusable(place, problem, EX_CANTCREAT) from error


def _check_folder(place: str, folder: Path, mode: int) -> None:
    if not folder.is_dir():
        raise _unusable(place, f"there is no folder {folder}", EX_CANTCREAT)
    if not os.access(folder, mode):
        raise _unusable(place, f"no right to use folder {folder}", EX_NOPERM)


def _unusable(place: str, problem: str, exit_code: int) -> CannotStart:
    or_none = ", or --pidfile= for no file" if place.startswith("--pidfile") else ""
    error = CannotStart(f"{place}: {problem}; want another place{or_none}")
    error.exit_code = exit_code
    return error
