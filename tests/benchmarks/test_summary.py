from benchmarks.summary import Summaries, summary

from .samples import sample


def test_figures_are_medians() -> None:
    """One repeat that went badly does not move a figure."""
    repeats = [sample("tcp-64x50", "c", cpu_s=it, p99_us=it) for it in (5.0, 90.0, 6.0)]
    found = summary(repeats)
    assert (6.0, 6.0) == (found.cpu_us, found.p99_us)
    assert (5.0, 90.0) == found.cpu_range_us


def test_rate_counts_what_was_in_time() -> None:
    """A straggler counts for the processor time, and not for the rate."""
    found = summary([sample("tcp-64x50", "c", messages=100, timely=50, elapsed_s=2.0)])
    assert 25.0 == found.messages_per_s
    assert 50_000.0 == found.cpu_us


def test_one_failure_is_a_failure() -> None:
    """A subject that failed in one repeat has no figures, but a reason."""
    repeats = [sample("tcp-64x50", "c"), sample("tcp-64x50", "c", failed="it hangs")]
    assert "it hangs (1 of 2 times)" == summary(repeats).failed


def test_losses_are_added_up() -> None:
    """What is lost in any repeat is lost."""
    found = summary([sample("udp-64x16", "c", lost=n, messages=999) for n in (0, 2)])
    assert (2, 0.001) == (found.lost, found.lost_share)


def test_ratio_is_to_the_reference() -> None:
    """A subject that takes twice the time of the C reference has a ratio of 2."""
    run = Summaries(
        [
            sample("tcp-64x50", "c", cpu_s=5.0),
            sample("tcp-64x50", "uvloop", cpu_s=10.0),
        ]
    )
    assert 1.0 == run.cpu_ratio("tcp-64x50", "c")
    assert 2.0 == run.cpu_ratio("tcp-64x50", "uvloop")


def test_no_ratio_without_both() -> None:
    """Where one of the two failed or was not asked, there is no ratio."""
    run = Summaries(
        [
            sample("tcp-64x50", "c", failed="it hangs"),
            sample("tcp-64x50", "uvloop"),
            sample("tcp-64x1", "c"),
        ]
    )
    assert run.cpu_ratio("tcp-64x50", "uvloop") is None
    assert run.cpu_ratio("tcp-64x1", "uvloop") is None


def test_order_is_the_declared_one() -> None:
    """Subjects and scenarios are told in the order in which they are declared."""
    run = Summaries(
        [
            sample("udp-64x16", "uvloop"),
            sample("tcp-64x50", "uvloop"),
            sample("tcp-64x50", "c"),
        ]
    )
    assert ["tcp-64x50", "udp-64x16"] == run.scenarios()
    assert ["c", "uvloop"] == run.subjects()
    assert ["uvloop"] == run.subjects("udp-64x16")
