"""The repeats put together: medians, and ratios to the reference."""

from collections.abc import Callable, Iterable
from statistics import median

from attrs import frozen

from .sample import Sample
from .scenario import SCENARIOS
from .subject import REFERENCE, SUBJECTS


@frozen(kw_only=True)
class Summary:
    """
    One subject in one scenario. Every figure is the median of the repeats.

    Attributes:
        failed: why it has no figures; None if it has.
        cpu_us: the server's processor time for a message.
        cpu_range_us: the least and the most of the repeats.
        lost_share: lost of all that was sent, 0 to 1, over all repeats.
        lost: how many that were.
        load_share: how much of its core the load generator used, 0 to 1.
    """

    subject: str
    scenario: str
    failed: str | None = None
    messages_per_s: float = 0.0
    p50_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    cpu_us: float = 0.0
    cpu_range_us: tuple[float, float] = (0.0, 0.0)
    peak_bytes: float = 0.0
    idle_bytes: float = 0.0
    flooded_per_s: float = 0.0
    lost_share: float = 0.0
    lost: int = 0
    load_share: float = 0.0


class Summaries:
    """
    What a run's samples come to.

    Args:
        samples: of any subjects and scenarios, in any order.
    """

    def __init__(self, samples: Iterable[Sample]) -> None:
        grouped: dict[tuple[str, str], list[Sample]] = {}
        for sample in samples:
            grouped.setdefault((sample.scenario, sample.subject), []).append(sample)
        self._all = {key: summary(them) for key, them in grouped.items()}

    def scenarios(self) -> list[str]:
        """Those that were measured, in the order in which they are declared."""
        measured = {scenario for scenario, _ in self._all}
        return [it.name for it in SCENARIOS if it.name in measured]

    def subjects(self, scenario: str | None = None) -> list[str]:
        """Those that took part, in one scenario or in any, in the declared order."""
        measured = {
            subject for its, subject in self._all if scenario is None or its == scenario
        }
        return [it.name for it in SUBJECTS if it.name in measured]

    def get(self, scenario: str, subject: str) -> Summary | None:
        """What a subject did in a scenario; None if it was not asked."""
        return self._all.get((scenario, subject))

    def good(self, scenario: str, subject: str) -> Summary | None:
        """The same; None as well if it failed."""
        found = self.get(scenario, subject)
        return found if found is not None and found.failed is None else None

    def cpu_ratio(self, scenario: str, subject: str) -> float | None:
        """A subject's processor time for a message, in units of the reference's."""
        its, of_reference = self.good(scenario, subject), self.good(scenario, REFERENCE)
        if its is None or of_reference is None or not of_reference.cpu_us:
            return None
        return its.cpu_us / of_reference.cpu_us


def summary(samples: list[Sample]) -> Summary:
    """What the repeats of one subject in one scenario come to."""
    subject, scenario = samples[0].subject, samples[0].scenario
    reasons = [it.failed for it in samples if it.failed is not None]
    if reasons:
        often = (
            "" if len(samples) == 1 else f" ({len(reasons)} of {len(samples)} times)"
        )
        return Summary(subject=subject, scenario=scenario, failed=reasons[0] + often)

    def middle(figure: Callable[[Sample], float]) -> float:
        return median(figure(it) for it in samples)

    cpus_us = [it.cpu_us for it in samples]
    lost = sum(it.lost for it in samples)
    sent = lost + sum(it.messages for it in samples)
    return Summary(
        subject=subject,
        scenario=scenario,
        messages_per_s=middle(lambda it: it.messages_per_s),
        p50_us=middle(lambda it: it.p50_us),
        p99_us=middle(lambda it: it.p99_us),
        p999_us=middle(lambda it: it.p999_us),
        cpu_us=median(cpus_us),
        cpu_range_us=(min(cpus_us), max(cpus_us)),
        peak_bytes=middle(lambda it: it.peak_bytes),
        idle_bytes=middle(lambda it: it.idle_bytes),
        flooded_per_s=middle(lambda it: it.flooded_per_s),
        lost_share=lost / sent if sent else 0.0,
        lost=lost,
        load_share=middle(lambda it: it.load_share),
    )
