"""A process of the run's: pinned to a core, in a session of its own, always ended."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from .cores import pinned_to
from .errors import Failed
from .usage import members

#: How long a process may take to end before it is killed.
PATIENCE_S = 2.0
_PAUSE_S = 0.01

#: What changes how a subject behaves is not the run's to say.
_FOREIGN = ("ECHOD_", "PYTHON", "COVERAGE_", "NODE_", "GO")


def environment() -> dict[str, str]:
    """This process's environment, without what changes how subjects behave."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    # Debian keeps xinetd where only root looks for it.
    return kept | {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}


class Process:
    """
    A program that runs; a context manager.

    Args:
        command: its words.
        core: the core that it, and all that it starts, runs on.
        folder: where it runs, and where what it says on standard error goes.
        is_asked: whether it is talked to, through pipes; or else standard output is
            a part of its log.
    """

    def __init__(
        self, command: list[str], *, core: int, folder: Path, is_asked: bool = False
    ) -> None:
        self._command = command
        self._core = core
        self._folder = folder
        self._is_asked = is_asked
        self._log = folder / f"{Path(command[0]).name}.log"
        self._unread = b""

    def __enter__(self) -> Self:
        through = subprocess.PIPE if self._is_asked else None
        with self._log.open("wb") as log, pinned_to(self._core):
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=environment(),
                stdin=through or subprocess.DEVNULL,
                stdout=through or log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # It is reaped last: until then no other session can have its id.
        self._signal_all(signal.SIGTERM)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not self.has_ended() and time.monotonic() < deadline:
                time.sleep(_PAUSE_S)
        finally:
            # Its children, too: some do not end with it.
            self._signal_all(signal.SIGKILL)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()

    @property
    def pid(self) -> int:
        """Its id, which is that of its session as well."""
        return self._process.pid

    def line(self, limit_s: float) -> str:
        """
        The next line that it says.

        Raises:
            Failed: it has ended, or said nothing for so long.
        """
        assert self._process.stdout is not None
        stdout = self._process.stdout.fileno()
        deadline = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not selector.select(left_s):
                    raise Failed(f"the load has said nothing for {limit_s:.0f} s")
                piece = os.read(stdout, 65_536)
                if not piece:
                    raise Failed(f"the load has ended: {self.last_words()}")
                self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def answer(self) -> None:
        """Say a line, which is what it waits for."""
        assert self._process.stdin is not None
        os.write(self._process.stdin.fileno(), b"\n")

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None

    def last_words(self) -> str:
        """The last line of its log, without the places of this machine."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        words = lines[-1] if lines else "no word in its log"
        for place in (self._folder, sys.prefix, Path(__file__).parents[1]):
            words = words.replace(f"{place}/", "")
        return words

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in members(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
