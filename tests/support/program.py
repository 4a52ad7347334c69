"""A program that is run to its end, and what it said."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import pytest

from .daemon import BIN, clean_environment

#: A word of a command line; bytes where it is no text.
Word = str | bytes

#: The two faces of the service, and the client.
TWISTD = (str(BIN / "twistd"), "-n", "--pidfile=", "echod")
SERVE = (str(BIN / "echod"), "serve")
SEND = (str(BIN / "echod"), "send")

#: A program that has nothing to wait for has ended by then.
PATIENCE_S = 5.0


class Ended(NamedTuple):
    """
    What a program left.

    Attributes:
        exit_code: negative for a signal.
        stdout: what it wrote, as bytes.
        stderr: what it wrote, as text.
        took_s: from its start to its end.
    """

    exit_code: int
    stdout: bytes
    stderr: str
    took_s: float


def environment(**variables: str) -> dict[str, str]:
    """A clean environment in which a name server that is not there is soon given up."""
    resolver = {"RES_OPTIONS": "timeout:1 attempts:1", "LOCALDOMAIN": ""}
    return clean_environment() | resolver | variables


def run(
    *command: Word,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    stdin: bytes | IO[bytes] = b"",
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.PIPE,
) -> Ended:
    """
    Run a program to its end; TimeoutExpired where that does not come.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        variables: what stands in its environment beside a clean one.
        stdin: what it reads, through a pipe; or an open file.
        stdout: another file descriptor than a pipe, which is read here.
        stderr: the same.
    """
    fed: dict[str, bytes | IO[bytes]] = (
        {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    )
    begin = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(**(variables or {})),
        stdout=stdout,
        stderr=stderr,
        timeout=PATIENCE_S,
        check=False,
        **fed,  # type: ignore[call-overload]
    )
    took_s = time.monotonic() - begin
    said = (done.stderr or b"").decode(errors="backslashreplace")
    return Ended(done.returncode, done.stdout or b"", said, took_s)


def redirected(redirection: str, *command: str) -> tuple[str, ...]:
    """The command behind a redirection of the shell's: ``>&-`` closes its output."""
    return ("sh", "-c", f"exec {shlex.join(command)} {redirection}")


def without(*capabilities: str) -> tuple[str, ...]:
    """
    Words before a command that take rights from it; none for those who are not root.

    Skips the test where the system does not let them go, or where echod itself
    cannot be read without them.
    """
    if os.geteuid() != 0:
        return ()
    dropped = ",".join(f"-{capability}" for capability in capabilities)
    words = ("setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}")
    # With a run's coverage this also writes the data file, as echod will.
    tried = run(*words, sys.executable, "-c", "import echod", folder=Path("/"))
    if tried.exit_code != 0 or tried.stderr:
        reason = tried.stderr.strip().rpartition("\n")[2]
        pytest.skip(f"echod cannot run with {dropped}: {reason}")
    return words


def running_in(folder: Path) -> Iterator[int]:
    """The ids of the processes whose working directory is ``folder``."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_there = (entry / "cwd").readlink() == folder
        except OSError:  # It has ended, or is another user's.
            continue
        if is_there:
            yield int(entry.name)


def assert_told(ended: Ended, exit_code: int, *words: str) -> None:
    """The process has told what is wrong in one line."""
    assert exit_code == ended.exit_code, ended
    lines = ended.stderr.splitlines()
    assert 1 == len(lines), ended.stderr
    assert lines[0].startswith("echod: ")
    for word in words:
        assert word in lines[0]
