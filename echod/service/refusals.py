"""What the log says of connections that were refused before they were open."""

from collections import Counter
from collections.abc import Iterable

from twisted.logger import Logger

from .stages import Stages

# A flood of such connections writes two lines a minute.
PERIOD_S = 30.0


class RefusalLog:
    """
    A line soon after the first connection was refused, and then one for all those of
    each ``PERIOD_S``, with the reasons.

    Args:
        stages: where connections are refused.
    """

    _log = Logger()

    def __init__(self, stages: Iterable[Stages]) -> None:
        self._stages = list(stages)
        self._told: Counter[str] = Counter()
        self._told_s = float("-inf")

    def say(self, now_s: float) -> None:
        """Say what there is to say; to be called now and then."""
        if now_s - self._told_s >= PERIOD_S:
            self.say_rest(now_s)

    def say_rest(self, now_s: float) -> None:
        """The same, however short a time ago the last line was."""
        refused: Counter[str] = Counter()
        for stages in self._stages:
            refused.update(stages.refused())
        new = refused - self._told
        if new:
            self._told, self._told_s = refused, now_s
            self._log.warn(
                "Refused {connections} connections before they were open: {reasons}",
                connections=new.total(),
                reasons=", ".join(f"{name} {new[name]}" for name in sorted(new)),
            )
