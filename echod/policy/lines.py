"""How much may be written about what happens."""

#: Less than a megabyte a minute, of the longest lines that there are.
LINES_PER_S = 80


class LineBudget:
    """
    Lets so many lines a second be written, and counts the others.

    Whoever makes many connections must neither fill a disk nor slow the rest down: a
    line of Twisted's log costs as much as five echoes.

    Args:
        lines_per_s: how many.

    Attributes:
        lines_per_s: the same.
    """

    def __init__(self, lines_per_s: int = LINES_PER_S) -> None:
        self.lines_per_s = lines_per_s
        self._written = 0
        self._left_out = 0
        self._began_s: float | None = None

    def allows(self, now_s: float) -> bool:
        """Whether one more line may be written at this time, which never goes back."""
        if self._began_s is None or now_s - self._began_s >= 1:
            self._began_s = now_s
            self._written = 0
        if self._written < self.lines_per_s:
            self._written += 1
            return True
        self._left_out += 1
        return False

    def take_left_out(self) -> int:
        """How many lines were not written since this was last asked."""
        left_out, self._left_out = self._left_out, 0
        return left_out
