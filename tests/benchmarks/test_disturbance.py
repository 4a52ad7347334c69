import os

import pytest

from benchmarks.disturbance import Moment, idle_ns, moment, others_share
from benchmarks.run import least_disturbed

from .samples import sample

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
STAT = "cpu  1 2 3 999 5 6 7 8 9 0\ncpu0 1 2 3 100 5 6 7 8 9 0\ncpu1 1 2 3 40 2 6 7 8\n"


def test_idle_time_of_a_core() -> None:
    """Idle time and waiting for a disk are what a core did not do."""
    assert 105 * TICK_NS == idle_ns(STAT, 0)
    assert 42 * TICK_NS == idle_ns(STAT, 1)


def test_idle_time_goes_forward() -> None:
    """The real /proc tells of a core that this process may use."""
    core = min(os.sched_getaffinity(0))
    first = moment(core)
    second = moment(core)
    assert second.at_ns > first.at_ns
    assert second.idle_ns >= first.idle_ns > 0


@pytest.mark.parametrize(
    ("idle", "own", "expected"), [(20, 80, 0.0), (20, 50, 0.3), (30, 80, 0.0)]
)
def test_what_is_left_is_others(idle: int, own: int, expected: float) -> None:
    """Neither idle nor one's own is somebody else's; rounding is nobody's."""
    before = Moment(at_ns=0, idle_ns=1000)
    after = Moment(at_ns=100, idle_ns=1000 + idle)
    assert pytest.approx(expected) == others_share(before, after, own)


def test_undisturbed_is_taken_at_once() -> None:
    """A good measurement is not made again."""
    attempts = iter(
        [sample("tcp-64x1", "c", others_share=it) for it in (0.3, 0.0, 0.0)]
    )
    assert 0.0 == least_disturbed(attempts).others_share
    assert 1 == len(list(attempts))


def testleast_disturbed_is_taken_at_last() -> None:
    """If all are disturbed, the one that is so least counts."""
    attempts = iter(
        [sample("tcp-64x1", "c", others_share=it) for it in (0.3, 0.2, 0.4)]
    )
    assert 0.2 == least_disturbed(attempts).others_share


def test_failure_is_not_tried_again() -> None:
    """A subject that failed has failed, whatever others did."""
    attempts = iter([sample("tcp-64x1", "c", failed="it hangs", others_share=0.9)] * 2)
    assert "it hangs" == least_disturbed(attempts).failed
