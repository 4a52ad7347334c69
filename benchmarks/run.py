"""A run: every subject in every scenario, repeated and interleaved."""

import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .build import build_c, build_go
from .cores import choose
from .disturbance import LIMIT
from .errors import CannotMeasure
from .machine import this_machine
from .measure import Bench, exemption, measure
from .request import Request, Step
from .result import Result
from .sample import Sample
from .scenario import Kind
from .subject import Subject

#: What is open beside one end of each connection.
OTHER_FILES = 500

#: How often a measurement is made at most, as long as others disturb it.
_ATTEMPTS = 3

Tell = Callable[[str], None]


def run(request: Request, built: Path, tell: Tell) -> Result:
    """
    Measure.

    Args:
        request: what.
        built: the folder for the programs that are built first.
        tell: takes a line for each step.

    Raises:
        CannotMeasure: this machine cannot do it.
    """
    cores = choose(os.sched_getaffinity(0))
    _raise_descriptors(request)
    machine = this_machine()
    build_c(built)
    subjects = request.chosen()
    absent = _absent(subjects, built, tell)
    # The harness sleeps while a load runs; where it wakes must not be the server's.
    os.sched_setaffinity(0, {cores.harness})
    bench = Bench(
        built=built, cores=cores, warm_up_s=request.warm_up_s, seconds=request.seconds
    )
    steps = request.steps([it for it in subjects if it.name not in absent])
    return Result(
        day=time.strftime("%Y-%m-%d", time.gmtime()),
        command=request.command,
        repeats=request.repeats,
        warm_up_s=request.warm_up_s,
        seconds=request.seconds,
        machine=machine,
        absent=absent,
        samples=tuple(_samples(bench, steps, tell)),
    )


def _absent(subjects: Sequence[Subject], built: Path, tell: Tell) -> dict[str, str]:
    """The reason of each subject that cannot run here."""
    reasons = {it.name: it.absence() for it in subjects}
    if "go" in reasons and reasons["go"] is None:
        tell("building the peer in Go")
        reasons["go"] = build_go(built)
    absent = {name: reason for name, reason in reasons.items() if reason is not None}
    for name, reason in absent.items():
        tell(f"{name} is left out: {reason}")
    return absent


def _raise_descriptors(request: Request) -> None:
    steps = request.steps(request.chosen())
    wanted = max((it.scenario.connections for it in steps), default=0) + OTHER_FILES
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise CannotMeasure(f"a process may open {hard} files; want {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _samples(bench: Bench, steps: Sequence[Step], tell: Tell) -> Iterator[Sample]:
    begin_s = time.monotonic()
    for n, step in enumerate(steps, 1):
        sample = _sample(bench, step)
        passed_s = time.monotonic() - begin_s
        place = f"[{n}/{len(steps)}, {passed_s:.0f} s] {step.repeat}. "
        seen = sample.failed or _in_short(sample, step.scenario.kind)
        tell(f"{place}{step.scenario.name} {step.subject.name}: {seen}")
        yield sample


def _sample(bench: Bench, step: Step) -> Sample:
    reason = exemption(step.subject, step.scenario)
    if reason is None:
        return least_disturbed(
            measure(bench, step.subject, step.scenario, step.repeat)
            for _ in range(_ATTEMPTS)
        )
    return Sample(
        subject=step.subject.name,
        scenario=step.scenario.name,
        repeat=step.repeat,
        failed=reason,
    )


def least_disturbed(attempts: Iterator[Sample]) -> Sample:
    """The first of some measurements that is not disturbed, or else the best."""
    made = []
    for sample in attempts:
        made.append(sample)
        if sample.failed is not None or sample.others_share <= LIMIT:
            return sample
    return min(made, key=lambda it: it.others_share)


def _in_short(sample: Sample, kind: Kind) -> str:
    if kind == "memory":
        return f"{sample.idle_bytes / 1024:.2f} KiB a connection"
    if kind == "flood":
        flood = f"under {sample.flooded_per_s:,.0f} datagrams/s"
        return f"p99 {sample.p99_us / 1e3:.2f} ms {flood}"
    more = f", {sample.lost:,} lost" if sample.lost else ""
    if sample.others_share > LIMIT:
        more += f", DISTURBED: others took {sample.others_share:.0%} of the core"
    rate = f"{sample.messages_per_s:,.0f}/s"
    return f"{rate}, CPU {sample.cpu_us:.2f} us, p99 {sample.p99_us:,.0f} us{more}"
