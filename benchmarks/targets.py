"""The targets: what echod has to reach, and whether a run shows that it does."""

from collections.abc import Callable, Iterator

from attrs import frozen

from .scenario import FLOODS_BYTES
from .subject import OURS, SUBJECTS
from .summary import Summaries

_TITLES = {it.name: it.title for it in SUBJECTS}


@frozen(kw_only=True)
class Verdict:
    """
    Attributes:
        what: the figure that is meant.
        wanted: what it has to be.
        measured: what it is, as text; a dash if it was not measured.
        is_met: None if it was not measured.
    """

    what: str
    wanted: str
    measured: str
    is_met: bool | None


def judge(run: Summaries) -> list[Verdict]:
    """Every target, in the order in which they are told."""
    return [
        _at_most(
            "TCP 64 B x 50, CPU per message",
            1.15,
            "x C",
            run.cpu_ratio("tcp-64x50", OURS),
        ),
        *(_below(run, peer) for peer in ("uvloop", "go", "node", "asyncio")),
        _at_most(
            "TCP 1 MiB x 4, CPU per message",
            1.15,
            "x C",
            run.cpu_ratio("tcp-1MiBx4", OURS),
        ),
        _at_most(
            "TCP, 50 active of 10,000 open, CPU per message",
            1.25,
            "x its own at 50 open",
            _own_ratio(run),
        ),
        _at_most(
            "UDP 64 B, window of 16, CPU per datagram",
            1.0,
            "x C",
            run.cpu_ratio("udp-64x16", OURS),
        ),
        _at_most(
            "UDP 64 B, window of 16, lost",
            0,
            "datagrams",
            _figure(run, "udp-64x16", lambda it: it.lost),
        ),
        _at_most(
            "Burst of 4,000 connects, p99",
            300,
            "ms",
            _figure(run, "tcp-burst", lambda it: it.p99_us / 1e3),
        ),
        _at_most(
            "Burst of 4,000 connects, lost",
            0,
            "connections",
            _figure(run, "tcp-burst", lambda it: it.lost),
        ),
        _at_most(
            "Idle connection, anonymous memory",
            2.5,
            "KiB",
            _figure(run, "idle-memory", lambda it: it.idle_bytes / 1024),
        ),
        *_floods(run),
    ]


def _at_most(what: str, most: float, unit: str, value: float | None) -> Verdict:
    return Verdict(
        what=what,
        wanted=f"at most {most:g} {unit}",
        measured="-" if value is None else f"{_written(value, most)} {unit}",
        is_met=None if value is None else value <= most,
    )


def _written(value: float, most: float) -> str:
    # A figure that is over by a little must not look as if it were not.
    text = f"{value:.2f}" if isinstance(most, float) else f"{value:.0f}"
    if value > most and float(text) <= most:
        text = f"{value:.4g}"
    return text


def _below(run: Summaries, peer: str) -> Verdict:
    what = f"TCP 64 B x 50, CPU per message, beside {_TITLES[peer]}"
    ours, theirs = run.good("tcp-64x50", OURS), run.good("tcp-64x50", peer)
    if ours is None or theirs is None:
        return Verdict(what=what, wanted="less", measured="-", is_met=None)
    return Verdict(
        what=what,
        wanted="less",
        measured=f"{ours.cpu_us:.2f} us, {theirs.cpu_us:.2f} us",
        is_met=ours.cpu_us < theirs.cpu_us,
    )


def _own_ratio(run: Summaries) -> float | None:
    many, few = run.good("tcp-10000-open", OURS), run.good("tcp-64x50", OURS)
    if many is None or few is None:
        return None
    return many.cpu_us / few.cpu_us


def _figure(
    run: Summaries, scenario: str, figure: Callable[..., float]
) -> float | None:
    found = run.good(scenario, OURS)
    return None if found is None else figure(found)


def _floods(run: Summaries) -> Iterator[Verdict]:
    for size in FLOODS_BYTES:
        name = f"flood-{size}"
        yield _at_most(
            f"TCP round trip p99 under a UDP flood of {size:,} B",
            50,
            "ms",
            _figure(run, name, lambda it: it.p99_us / 1e3),
        )
