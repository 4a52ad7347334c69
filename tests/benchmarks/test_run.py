"""The harness itself, on real processes; what it measures is not looked at."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.errors import Failed
from benchmarks.process import Process
from benchmarks.server import serving
from benchmarks.subject import Subject
from benchmarks.usage import members
from tests.support.daemon import clean_environment

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0

needs_two_cores = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2,
    reason="needs the right to two cores",
)


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """What ``python -m benchmarks`` says."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        env=clean_environment("COVERAGE_"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def choice(option: str, *names: str) -> list[str]:
    return [word for name in names for word in (option, name)]


@needs_two_cores
@pytest.mark.peer("gcc")
def test_run_leaves_its_results(tmp_path: Path) -> None:
    """A short run of two subjects measures each scenario once, and writes it down."""
    scenarios = ("tcp-64x50", "tcp-connects", "udp-64x16", "flood-64")
    done = bench(
        *choice("--subject", "c", "echod-stock"),
        *choice("--scenario", *scenarios),
        *("--repeats", "1", "--seconds", "0.1", "--output", str(tmp_path)),
    )
    assert 0 == done.returncode, done.stderr
    assert "[8/8, " in done.stderr
    run = json.loads((tmp_path / "results.json").read_text())
    made = [(it["scenario"], it["subject"]) for it in run["samples"]]
    expected = [(it, who) for it in scenarios for who in ("c", "echod-stock")]
    assert expected == made
    for it in run["samples"]:
        if (it["scenario"], it["subject"]) == ("flood-64", "c"):
            assert "TCP and UDP are two processes" == it["failed"]
        else:
            assert it["failed"] is None, it
            assert it["messages"] > 0
            assert it["cpu_s"] > 0
            assert it["peak_bytes"] > 0
    assert "not measured" in done.stdout
    text = (tmp_path / "report.md").read_text()
    assert "| echod, stock |" in text
    for private in (str(ROOT), str(tmp_path), os.uname().nodename):
        assert private not in text


@needs_two_cores
@pytest.mark.peer("gcc")
def test_ended_run_leaves_no_process(tmp_path: Path) -> None:
    """A run that is told to end takes its server and its load with it."""
    words = ("--subject", "c", "--scenario", "tcp-64x1", "--seconds", "30")
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words, "--output", str(tmp_path)],
        cwd=ROOT,
        env=clean_environment("COVERAGE_"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (started := children(process.pid, "tcp_load")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        started += children(process.pid, "tcp_server")
        process.send_signal(signal.SIGINT)
        assert 0 != process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert 2 == len(started)
    assert [] == [it for pid in started for it in running(pid)]


def children(parent: int, program: str) -> list[int]:
    """The ids of a process's children that run a program."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    running_it = []
    for child in map(int, found):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # It ended.
            if program in Path(f"/proc/{child}/comm").read_text():
                running_it.append(child)
    return running_it


def test_no_gcc_is_told_in_one_line(tmp_path: Path) -> None:
    """Without gcc nothing is measured, one line says why, and the exit code does."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs the right to two cores")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--output", str(tmp_path)],
        cwd=ROOT,
        env=clean_environment("COVERAGE_") | {"PATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert 0 != done.returncode
    assert ["Error: no gcc on PATH; want it, for the reference and the load"] == (
        done.stderr.splitlines()
    )


def test_help_explains() -> None:
    """``--help`` names the subjects and says where the method is told."""
    done = bench("--help")
    assert "benchmarks/README.md has the method" in done.stdout
    assert "echod-fast" in done.stdout


def running(session: int) -> list[int]:
    """The processes of a session but for zombies, which wait for their parent."""
    return [pid for pid in members(session) if is_running(pid)]


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def python(program: str) -> Subject:
    words = ("{python}", "-c", program, "{port}")
    return Subject(name="x", title="X", tcp=words)


def test_server_that_ends_has_failed(tmp_path: Path) -> None:
    """A server that cannot start has failed, with its own last words."""
    subject = python("import sys; sys.exit('I cannot')")
    with (
        pytest.raises(Failed, match="it ends at once: I cannot"),
        serving(subject, ("tcp",), built=tmp_path, folder=tmp_path, core=0),
    ):
        pass


def test_children_are_ended_too(tmp_path: Path) -> None:
    """A child that outlives its parent, and ignores what ends others, is ended."""
    program = "trap '' TERM; (trap '' TERM; sleep 60) & echo started; wait"
    command = ["sh", "-c", program]
    with Process(command, core=0, folder=tmp_path, is_asked=True) as process:
        assert "started" == process.line(PATIENCE_S)
        assert 2 <= len(running(process.pid))
    deadline = time.monotonic() + PATIENCE_S
    while running(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_silence_has_an_end(tmp_path: Path) -> None:
    """A load that says nothing is not waited for for ever."""
    with (
        Process(["sleep", "60"], core=0, folder=tmp_path, is_asked=True) as process,
        pytest.raises(Failed, match="nothing for 0 s"),
    ):
        process.line(0.05)
