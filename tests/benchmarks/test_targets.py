import pytest

from benchmarks.summary import Summaries
from benchmarks.targets import Verdict, judge

from .samples import sample


def verdict(words: str, *samples: object) -> Verdict:
    found = [it for it in judge(Summaries(samples)) if words in it.what]  # type: ignore[arg-type]
    assert 1 == len(found), found
    return found[0]


def test_nothing_measured_is_neither_met_nor_missed() -> None:
    """Without samples every target is told, and none is judged."""
    verdicts = judge(Summaries([]))
    assert {None} == {it.is_met for it in verdicts}
    assert {"-"} == {it.measured for it in verdicts}


@pytest.mark.parametrize(("cpu_s", "is_met"), [(5.75, True), (5.76, False)])
def test_ratio_to_c(*, cpu_s: float, is_met: bool) -> None:
    """1.15 times what C takes is met; a hundredth of a microsecond more is not."""
    found = verdict(
        "TCP 1 MiB x 4",
        sample("tcp-1MiBx4", "c", cpu_s=5.0),
        sample("tcp-1MiBx4", "echod-fast", cpu_s=cpu_s),
    )
    assert found.is_met is is_met


def test_missed_by_little_does_not_look_met() -> None:
    """A figure that is over by less than its digits show gets more digits."""
    found = verdict(
        "UDP 64 B, window of 16, CPU",
        sample("udp-64x16", "c", cpu_s=5.0),
        sample("udp-64x16", "echod-fast", cpu_s=5.01),
    )
    assert (False, "1.002 x C") == (found.is_met, found.measured)


def test_beside_a_peer() -> None:
    """Less than a peer is met, as much is not."""
    ours = sample("tcp-64x50", "echod-fast", cpu_s=6.0)
    peers = [sample("tcp-64x50", "uvloop", cpu_s=6.0), sample("tcp-64x50", "go")]
    assert verdict("beside uvloop", ours, *peers).is_met is False
    slower = sample("tcp-64x50", "node", cpu_s=6.1)
    found = verdict("beside Node", ours, slower)
    assert (True, "6.00 us, 6.10 us") == (found.is_met, found.measured)


def test_open_connections_beside_its_own() -> None:
    """What 10,000 open connections cost is measured by echod's own cost at 50."""
    found = verdict(
        "10,000 open",
        sample("tcp-64x50", "echod-fast", cpu_s=6.0),
        sample("tcp-10000-open", "echod-fast", cpu_s=7.5),
    )
    assert (True, "1.25 x its own at 50 open") == (found.is_met, found.measured)


def test_one_lost_is_too_many() -> None:
    """A single datagram that is lost inside the window misses the target."""
    found = verdict("16, lost", sample("udp-64x16", "echod-fast", lost=1))
    assert (False, "1 datagrams") == (found.is_met, found.measured)


def test_burst_and_flood_are_in_milliseconds() -> None:
    """300 ms in the burst and 50 ms under the flood are met."""
    burst = sample("tcp-burst", "echod-fast", p99_us=300_000.0)
    flood = sample("flood-1400", "echod-fast", p99_us=50_001.0)
    assert verdict("connects, p99", burst).is_met is True
    assert verdict("1,400 B", flood).is_met is False


def test_idle_memory_is_in_kib() -> None:
    """2560 bytes a connection are 2.5 KiB, and met."""
    found = verdict(
        "Idle", sample("idle-memory", "echod-fast", messages=0, idle_bytes=2560.0)
    )
    assert (True, "2.50 KiB") == (found.is_met, found.measured)
