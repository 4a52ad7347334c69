"""A real echod process, as twistd runs it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

BIN = Path(sys.executable).parent

#: How long a process may take to start, and to end.
PATIENCE_S = 20.0

# The prefix, and the port where there is one: first, or after the folder of tls:.
_LISTENING = re.compile(
    r"Listening on (\w+):(?:(\d+)\b|[^\n]*?:(\d+)\b)?[^\n]* transport"
)


def clean_environment(*prefixes: str) -> dict[str, str]:
    """This process's environment, without what changes how echod behaves."""
    # Python writes through its buffers unless it is told to; so do people's.
    unwanted = ("ECHOD_", "PYTHONUNBUFFERED", *prefixes)
    return {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}


class Daemon:
    """
    ``twistd -n --pidfile= echod``, listening; a context manager.

    Args:
        folder: where it runs, and where its log goes.
        options: those of ``twistd echod``; port 0 of 127.0.0.1 by default.
        listeners: how many ``Listening on`` lines to wait for.
        command: what to run in place of ``twistd -n --pidfile= echod``.

    Attributes:
        transport: ``--transport`` of every process that is started from now on; the
            default where this is empty.
        ports: the first port of each kind of listener: ``tcp``, ``udp``, ``ssl``...;
            0 where it has none.
        process: the process itself.
    """

    transport = ""

    def __init__(
        self,
        folder: Path,
        *options: str,
        listeners: int = 2,
        command: tuple[str, ...] = (),
    ) -> None:
        self._log = folder / "echod.log"
        self._listeners = listeners
        self._command = [
            *(command or (str(BIN / "twistd"), "-n", "--pidfile=", "echod")),
            *(options or ("--port", "0")),
        ]
        if self.transport:
            self._command += ["--transport", self.transport]
        self.ports: dict[str, int] = {}
        self._folder = folder

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                # Measuring its coverage would slow it down for nothing: twistd ends
                # by the signal that it was sent, and nothing is written then.
                env=clean_environment("COVERAGE_"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self.wait_for(lambda log: len(_LISTENING.findall(log)) >= self._listeners)
        except BaseException:
            self.stop()
            raise
        for prefix, first, later in _LISTENING.findall(self.log):
            self.ports.setdefault(prefix, int(first or later or 0))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """All that the process has written to standard output and error."""
        return self._log.read_text()

    def wait_for(self, condition: Callable[[str], object]) -> str:
        """The log, as soon as ``condition`` holds for it; AssertionError if never."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition(self.log):
            assert self.process.poll() is None, f"echod ended:\n{self.log}"
            assert time.monotonic() < deadline, f"echod is silent:\n{self.log}"
            time.sleep(0.01)
        return self.log

    def rss_bytes(self) -> int:
        """The anonymous memory of the process; file pages come and go as they like."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"RssAnon:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) * 1024

    def open_files(self) -> int:
        """How many file descriptors the process has."""
        return len([*Path(f"/proc/{self.process.pid}/fd").iterdir()])

    def cpu_s(self) -> float:
        """The processor time that the process has used."""
        # proc(5): the fields after the name, which stands in parentheses; the 14th and
        # the 15th of all are the time in user mode and in the kernel, in clock ticks.
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End the process; its exit code, negative for a signal."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
