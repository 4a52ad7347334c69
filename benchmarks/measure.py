"""One measurement: one subject, one scenario, once."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from .cores import Cores
from .disturbance import moment, others_share
from .errors import Failed
from .process import Process
from .sample import Sample
from .scenario import IDLE_CONNECTIONS, MOST_FORKS, Scenario
from .server import serving
from .subject import Subject
from .usage import usage

#: The most that the load may take beside the time it was told to.
PATIENCE_S = 60.0

#: What was freed is given back, and what was put off is done by then.
_SETTLING_S = 0.5

#: How long a flood goes on before the probe begins.
_FLOOD_LEAD_S = 0.3


@frozen(kw_only=True)
class Bench:
    """
    Where and how long to measure.

    Attributes:
        built: the folder of the compiled programs.
        cores: who runs where.
        warm_up_s: how long each load runs before it counts.
        seconds: how long it counts.
    """

    built: Path
    cores: Cores
    warm_up_s: float
    seconds: float


def measure(bench: Bench, subject: Subject, scenario: Scenario, repeat: int) -> Sample:
    """
    Run a subject under a scenario's load.

    Returns:
        What was seen; where the subject failed, the reason.
    """
    sample = Sample(subject=subject.name, scenario=scenario.name, repeat=repeat)
    try:
        with tempfile.TemporaryDirectory(prefix="echod-bench-") as folder:
            return _measured(bench, subject, scenario, sample, Path(folder))
    except Failed as failed:
        return evolve(sample, failed=str(failed))


def exemption(subject: Subject, scenario: Scenario) -> str | None:
    """Why a scenario is not asked of a subject at all; None if it is."""
    if subject.forks and scenario.connections > MOST_FORKS:
        return f"would be {scenario.connections:,} processes"
    if scenario.kind == "flood" and not subject.is_one_process:
        return "TCP and UDP are two processes"
    return None


def _measured(
    bench: Bench, subject: Subject, scenario: Scenario, sample: Sample, folder: Path
) -> Sample:
    both = scenario.kind == "flood"
    transports = ("tcp", "udp") if both else (scenario.transport,)
    with serving(
        subject, transports, built=bench.built, folder=folder, core=bench.cores.server
    ) as (server, port):
        run = {"load": _load, "memory": _memory, "flood": _flood}[scenario.kind]
        try:
            seen = run(bench, scenario, server, port, folder)
        except Failed as failed:
            if server.has_ended():
                raise Failed(f"it has ended: {server.last_words()}") from failed
            raise
    return evolve(sample, **seen)


def _load(
    bench: Bench, scenario: Scenario, server: Process, port: int, folder: Path
) -> dict[str, Any]:
    command = scenario.command(port, warm_up_s=bench.warm_up_s, seconds=bench.seconds)
    with _loading(bench, command, folder) as load:
        _wait_for_go(load, bench)
        begin, before = moment(bench.cores.server), usage(server.pid)
        load.answer()
        seen = _told(load, bench)
        after, end = usage(server.pid), moment(bench.cores.server)
    if not seen["messages"]:
        raise Failed(f"nothing was answered; {seen['lost']:,} were lost")
    cpu_ns = after.cpu_ns - before.cpu_ns
    return {
        **seen,
        "cpu_s": cpu_ns / 1e9,
        "peak_bytes": after.peak_bytes,
        "others_share": others_share(begin, end, cpu_ns),
    }


def _memory(
    bench: Bench, scenario: Scenario, server: Process, port: int, folder: Path
) -> dict[str, Any]:
    # The first connections make what is then there for all.
    first = ("tcp_load", str(port), "1", "99", "64", "0.1", "0.1")
    with _loading(bench, first, folder) as load:
        _wait_for_go(load, bench)
        load.answer()
        _told(load, bench)
    time.sleep(_SETTLING_S)
    before = usage(server.pid)
    with _loading(
        bench, scenario.command(port, warm_up_s=0, seconds=0), folder
    ) as load:
        _wait_for_go(load, bench)
        time.sleep(_SETTLING_S)
        after = usage(server.pid)
    grown = after.anonymous_bytes - before.anonymous_bytes
    return {"idle_bytes": grown / IDLE_CONNECTIONS, "peak_bytes": after.peak_bytes}


def _flood(
    bench: Bench, scenario: Scenario, server: Process, port: int, folder: Path
) -> dict[str, Any]:
    command = scenario.command(port, warm_up_s=bench.warm_up_s, seconds=bench.seconds)
    flood_s = bench.seconds + 2 * _FLOOD_LEAD_S
    flooding = ("udp_flood", str(port), str(scenario.flood_bytes), str(flood_s))
    with (
        _loading(bench, command, folder) as load,
        _loading(bench, flooding, folder) as flood,
    ):
        _wait_for_go(load, bench)
        _wait_for_go(flood, bench)
        flood.answer()
        time.sleep(_FLOOD_LEAD_S)
        before = usage(server.pid)
        load.answer()
        seen = _told(load, bench)
        after = usage(server.pid)
        sent = _told(flood, bench)
    return {
        **seen,
        "cpu_s": (after.cpu_ns - before.cpu_ns) / 1e9,
        "peak_bytes": after.peak_bytes,
        "flooded": sent["messages"],
        "flood_s": sent["elapsed_s"],
    }


def _loading(bench: Bench, command: tuple[str, ...], folder: Path) -> Process:
    program, *arguments = command
    return Process(
        [str(bench.built.absolute() / program), *arguments],
        core=bench.cores.load,
        folder=folder,
        is_asked=True,
    )


def _wait_for_go(load: Process, bench: Bench) -> None:
    line = load.line(bench.warm_up_s + PATIENCE_S)
    if line != "go":
        raise Failed(json.loads(line)["failed"])


def _told(load: Process, bench: Bench) -> dict[str, Any]:
    seen: dict[str, Any] = json.loads(load.line(bench.seconds + PATIENCE_S))
    if "failed" in seen:
        raise Failed(seen["failed"])
    return seen
