"""What a run is asked to measure."""

from collections.abc import Sequence

from attrs import frozen

from .scenario import QUICK, SCENARIOS, Scenario
from .subject import SUBJECTS, Subject


@frozen(kw_only=True)
class Step:
    """One measurement that is to be made."""

    repeat: int
    scenario: Scenario
    subject: Subject


@frozen(kw_only=True)
class Request:
    """
    Attributes:
        command: the words that ask for the same again.
        quick: the main scenarios only, and in each the main subjects only.
        subjects: the names of those to measure; none for all.
        scenarios: the same; whoever is named takes part in them, quick or not.
        repeats: how often.
        seconds: how long each load counts.
    """

    command: str
    quick: bool = False
    subjects: Sequence[str] = ()
    scenarios: Sequence[str] = ()
    repeats: int
    seconds: float

    @property
    def warm_up_s(self) -> float:
        """How long each load runs before it counts."""
        return min(0.5, self.seconds / 4)

    def chosen(self) -> list[Subject]:
        """The subjects that were asked for."""
        wanted = self.subjects or [
            it.name for it in SUBJECTS if not self.quick or it.name in QUICK
        ]
        return [it for it in SUBJECTS if it.name in wanted]

    def steps(self, subjects: Sequence[Subject]) -> list[Step]:
        """
        Every step with these subjects, in order.

        The subjects stand inside, the repeats outside: what the machine does
        meanwhile meets all subjects of a scenario alike, and two repeats are apart.
        """
        return [
            Step(repeat=repeat, scenario=scenario, subject=subject)
            for repeat in range(1, self.repeats + 1)
            for scenario in SCENARIOS
            for subject in subjects
            if self._has(scenario, subject)
        ]

    def _has(self, scenario: Scenario, subject: Subject) -> bool:
        if self.scenarios:
            return scenario.name in self.scenarios
        return not self.quick or subject.name in scenario.quick
