"""The report: a run as Markdown."""

import math
from collections.abc import Callable, Iterator, Sequence

from .disturbance import LIMIT
from .result import Result
from .scenario import SCENARIOS, Scenario
from .subject import SUBJECTS
from .summary import Summaries, Summary
from .targets import judge

_TITLES = {it.name: it.title for it in SUBJECTS}
_NONE = "-"

#: What the overview and the chart show of all that was measured.
MAIN = (
    *("tcp-64x50", "tcp-16KiBx50", "tcp-1MiBx4", "tcp-10000-open", "tcp-connects"),
    *("udp-64x16", "udp-1400x16"),
)

Column = tuple[str, Callable[[Summary], str]]


def report(result: Result) -> str:
    """
    The whole report.

    Returns:
        Markdown, from headings of the second level down.
    """
    run = Summaries(result.samples)
    parts = [
        *_circumstances(result),
        *_targets(run),
        *_overview(run),
        *(
            line
            for scenario in SCENARIOS
            if scenario.name in run.scenarios()
            for line in _details(run, scenario)
        ),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _circumstances(result: Result) -> Iterator[str]:
    machine = result.machine
    yield "## The run\n"
    yield f"* {result.day}, by `{result.command}`; repeats: {result.repeats},"
    yield (
        f"  {result.seconds:g} s each after {result.warm_up_s:g} s of warm-up; "
        "medians of the repeats"
    )
    yield f"* {machine.processor}, {machine.cores} cores, {machine.kernel}"
    versions = (f"{name} {number}" for name, number in machine.versions.items())
    yield f"* {', '.join(versions)}"
    system = (f"{name} {value}" for name, value in machine.system.items())
    yield f"* {', '.join(system)}"
    disturbed = [it for it in result.samples if it.others_share > LIMIT]
    if disturbed:
        often = f"{len(disturbed)} of {len(result.samples)} measurements"
        yield f"* **others took more than {LIMIT:.0%} of the server's core** in {often}"
    for subject, reason in result.absent.items():
        yield f"* left out: {_TITLES[subject]} ({reason})"
    yield ""


def _targets(run: Summaries) -> Iterator[str]:
    yield "## The targets\n"
    verdicts = judge(run)
    words = {True: "met", False: "**not met**", None: "not measured"}
    rows = [(it.what, it.wanted, it.measured, words[it.is_met]) for it in verdicts]
    yield from _table(("", "wanted", "measured", ""), rows)


def _overview(run: Summaries) -> Iterator[str]:
    shown = [it for it in SCENARIOS if it.name in MAIN and it.name in run.scenarios()]
    subjects = [it for it in run.subjects() if any(run.get(s.name, it) for s in shown)]
    if not shown or not any(
        run.cpu_ratio(s.name, it) for s in shown for it in subjects
    ):
        return
    yield "## Processor time for a message, in units of the C reference's\n"
    rows = [
        (_TITLES[it], *(_ratio(run.cpu_ratio(s.name, it)) for s in shown))
        for it in subjects
    ]
    yield from _table(("", *(it.title for it in shown)), rows)


def _details(run: Summaries, scenario: Scenario) -> Iterator[str]:
    yield f"## {scenario.title}\n"
    columns = _columns(run, scenario)
    rows = []
    failures = []
    for subject in run.subjects(scenario.name):
        found = run.get(scenario.name, subject)
        assert found is not None
        title = _TITLES[subject]
        if found.failed is None:
            rows.append((title, *(write(found) for _, write in columns)))
        else:
            rows.append((title, *(_NONE for _ in columns)))
            failures.append(f"* {title}: {found.failed}")
    yield from _table(("", *(title for title, _ in columns)), rows)
    if failures:
        yield from (*failures, "")


def _columns(run: Summaries, scenario: Scenario) -> list[Column]:
    latencies: list[Column] = [
        ("p50 us", lambda it: _figure(it.p50_us)),
        ("p99 us", lambda it: _figure(it.p99_us)),
        ("p99.9 us", lambda it: _figure(it.p999_us)),
    ]
    peak: Column = ("peak MiB", lambda it: _figure(it.peak_bytes / 2**20))
    if scenario.kind == "memory":
        return [("KiB", lambda it: _figure(it.idle_bytes / 1024)), peak]
    if scenario.kind == "flood":
        flooded: Column = ("datagrams/s sent", lambda it: f"{it.flooded_per_s:,.0f}")
        return [*latencies, flooded, peak]
    size = scenario.payload_bytes
    name = scenario.name
    lost: list[Column] = [("lost", _lost)]
    if scenario.unit == "message":
        lost = []
    return [
        (f"{scenario.unit}s/s", lambda it: f"{it.messages_per_s:,.0f}"),
        ("MB/s", lambda it: _figure(it.messages_per_s * size / 1e6)),
        *latencies,
        *lost,
        ("CPU us", lambda it: _figure(it.cpu_us)),
        ("from, to", lambda it: ", ".join(map(_figure, it.cpu_range_us))),
        ("x C", lambda it: _ratio(run.cpu_ratio(name, it.subject))),
        peak,
        ("load busy", lambda it: f"{it.load_share:.0%}"),
    ]


def _lost(found: Summary) -> str:
    if not found.lost:
        return "0"
    return f"{found.lost:,} ({found.lost_share:.2%})"


def _ratio(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _figure(value: float) -> str:
    """Three digits, or all those before the point."""
    magnitude = math.floor(math.log10(abs(value))) if value else 2
    return f"{value:,.{max(0, 2 - magnitude)}f}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
