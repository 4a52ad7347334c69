"""Measurements as a run might have made them."""

from typing import Any

from benchmarks.machine import Machine
from benchmarks.result import Result
from benchmarks.sample import Sample

MACHINE = Machine(
    processor="Pentium",
    cores=2,
    kernel="Linux 6.1",
    versions={"echod": "1.0", "Python": "3.11.2"},
    system={"net.core.somaxconn": "4096"},
)


def sample(scenario: str, subject: str, **values: Any) -> Sample:
    """A second in which a million messages were answered, or what ``values`` say."""
    usual = {
        "repeat": 1,
        "messages": 1_000_000,
        "timely": 1_000_000,
        "elapsed_s": 1.0,
        "cpu_s": 5.0,
        "p50_us": 10.0,
        "p99_us": 100.0,
        "p999_us": 1000.0,
        "max_us": 2000.0,
        "peak_bytes": 2**20,
    }
    return Sample(scenario=scenario, subject=subject, **(usual | values))


def result(*samples: Sample) -> Result:
    """A run with these."""
    return Result(
        day="2026-01-02",
        command="python -m benchmarks",
        repeats=1,
        warm_up_s=0.5,
        seconds=2.0,
        machine=MACHINE,
        absent={"go": "no go on PATH"},
        samples=samples,
    )
