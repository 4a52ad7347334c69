"""Processes that get open sockets as systemd hands them over."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from .daemon import PATIENCE_S, clean_environment
from .program import Ended, environment

_FIRST_DESCRIPTOR = 3

# Above all that the launcher itself has.
_SPARE_DESCRIPTOR = 100

# -S: it takes a third of the time without site-packages.
_LAUNCHER = (sys.executable, "-S", "-c")


class HasDescriptor(Protocol):
    """A socket, a pipe or a file."""

    def fileno(self) -> int: ...


def activated(
    command: Sequence[str],
    inherited: Iterable[HasDescriptor],
    names: Sequence[str] | None = None,
) -> tuple[list[str], list[int]]:
    """
    Args:
        command: what to run.
        inherited: what it gets, from descriptor 3 on.
        names: what that is called; None for no names.

    Returns:
        The command with words before it that hand the sockets over, and the
        ``pass_fds`` of the process.
    """
    given = [it.fileno() for it in inherited]
    variables = {"LISTEN_FDS": str(len(given))}
    if names is not None:
        variables["LISTEN_FDNAMES"] = ":".join(names)
    return [*_LAUNCHER, _PROGRAM, json.dumps([given, variables]), *command], given


# Written to run without this package. LISTEN_PID is the process before and after exec.
_PROGRAM = f"""\
import fcntl, json, os, sys
given, variables = json.loads(sys.argv[1])
spare = [fcntl.fcntl(it, fcntl.F_DUPFD, {_SPARE_DESCRIPTOR}) for it in given]
for at, descriptor in enumerate(spare, {_FIRST_DESCRIPTOR}):
    os.dup2(descriptor, at, inheritable=True)
os.closerange({_FIRST_DESCRIPTOR} + len(given), 2 * {_SPARE_DESCRIPTOR})
os.environ.update(variables, LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


def run_activated(
    command: Sequence[str],
    inherited: Iterable[HasDescriptor],
    names: Sequence[str] | None = None,
    folder: Path | None = None,
) -> Ended:
    """Run a command that inherits open sockets to its end; as ``activated``."""
    words, given = activated(command, inherited, names)
    begin = time.monotonic()
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
        pass_fds=given,
    )
    took_s = time.monotonic() - begin
    return Ended(done.returncode, done.stdout, done.stderr.decode(), took_s)


class Activated:
    """
    A process that inherits open sockets; a context manager.

    Args:
        folder: where it runs, and where its log goes, after that of the one before.
        command: what it runs; it may open its sockets itself.
        inherited: what it gets, from descriptor 3 on.
        names: what that is called; None for no names.

    Attributes:
        process: the process itself.
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        inherited: Sequence[HasDescriptor] = (),
        names: Sequence[str] | None = None,
    ) -> None:
        self._folder = folder
        self._command, self._given = list(command), [it.fileno() for it in inherited]
        if self._given:
            self._command, self._given = activated(command, inherited, names)
        self._log = folder / "activated.log"

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._log_begin = log.tell()
            self.process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=clean_environment("COVERAGE_", "LISTEN_"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self._given,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def log(self) -> str:
        """All that this process has written to standard output and error."""
        return self._log.read_bytes()[self._log_begin :].decode()

    def wait_for(self, condition: Callable[[str], object]) -> str:
        """The log, as soon as ``condition`` holds for it; AssertionError if never."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition(self.log):
            assert self.process.poll() is None, f"it ended:\n{self.log}"
            assert time.monotonic() < deadline, f"it is silent:\n{self.log}"
            time.sleep(0.01)
        return self.log


class Sockets(ExitStack):
    """
    Sockets as socket units open them, on loopback; a context manager that closes them.

    Args:
        folder: where UNIX sockets get their paths.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def open(self, form: str) -> socket.socket:
        """A socket that is ready to be served: ``tcp4``, ``udp6``, ``unixgram``..."""
        family, kind = FORMS[form]
        opened = self.enter_context(socket.socket(family, kind))
        if family == socket.AF_UNIX:
            opened.bind(str(self._folder / form))
        else:
            opened.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            opened.listen()
        return opened


#: What can be inherited.
FORMS: Mapping[str, tuple[socket.AddressFamily, socket.SocketKind]] = {
    "tcp4": (socket.AF_INET, socket.SOCK_STREAM),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
    "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
    "udp4": (socket.AF_INET, socket.SOCK_DGRAM),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM),
    "unixgram": (socket.AF_UNIX, socket.SOCK_DGRAM),
}


def ask(form: str, address: Any, message: bytes = b"ping") -> bytes:
    """
    What comes back from a service, whatever its kind.

    Args:
        form: one of ``FORMS``.
        address: where it is, as the socket module has it.
        message: not more than one datagram.
    """
    with socket.socket(*FORMS[form]) as client:
        client.settimeout(PATIENCE_S)
        if form == "unixgram":
            client.bind("")  # Linux chooses a name, without which there is no answer.
        client.connect(address)
        client.sendall(message)
        if client.type == socket.SOCK_DGRAM:
            return client.recv(65_536)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))
