"""A system call of a running process that fails, by strace's doing."""

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_PATIENCE_S = 10.0


class Injection:
    """
    Makes the next ``call`` of a process fail with ``error``; a context manager.

    Skips the test where the system does not let one process trace another.

    Args:
        folder: where the record of the calls goes.
        pid: of the process.
        call: a name of a system call, ``recvmsg``.
        error: a name of an error, ``ENOMEM``.
    """

    def __init__(self, folder: Path, pid: int, call: str, error: str) -> None:
        self._record = folder / "strace.log"
        self._pid = pid
        self._command = [
            *("strace", "-qq", "-f", "-o", str(self._record), "-p", str(pid)),
            *("-e", f"trace={call}", "-e", f"inject={call}:error={error}:when=1"),
        ]

    def __enter__(self) -> Self:
        self._strace = subprocess.Popen(
            self._command, stderr=subprocess.PIPE, text=True
        )
        deadline_s = time.monotonic() + _PATIENCE_S
        while not self._is_traced():
            if self._strace.poll() is not None:
                pytest.skip(f"needs the right to trace: {self._end()}")
            assert time.monotonic() < deadline_s, f"strace is silent: {self._end()}"
            time.sleep(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def failed_calls(self) -> list[str]:
        """The record of the calls that were made to fail."""
        lines = self._record.read_text().splitlines()
        return [line for line in lines if "(INJECTED)" in line]

    def _is_traced(self) -> bool:
        status = Path(f"/proc/{self._pid}/status").read_text()
        return "TracerPid:\t0\n" not in status

    def _end(self) -> str:
        # strace lets the process go, unharmed, when it is told to end.
        self._strace.terminate()
        return self._strace.communicate(timeout=_PATIENCE_S)[1]
