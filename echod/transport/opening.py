"""Connections that are not open yet: what comes before the first byte of echo."""

import time
from collections.abc import Callable
from typing import Protocol as TypingProtocol


class Opener(TypingProtocol):
    """A protocol that has something to settle before a connection is open."""

    def is_late(self) -> None:
        """Its time is over: count it, and break the connection."""

    def abort(self) -> None:
        """The service ends: break the connection."""


class Opening:
    """
    Connections on which a PROXY header or a TLS handshake is under way, each with a
    deadline. A look at all of them once a second takes the place of a timer for each.

    Args:
        now_s: a clock that never goes back, in seconds.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._deadlines: dict[Opener, float] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._deadlines)

    def begin(self, opener: Opener, timeout_s: float) -> None:
        """Give ``opener`` so long; 0 for as long as it likes."""
        self._deadlines[opener] = self._now_s() + (timeout_s or float("inf"))

    def end(self, opener: Opener) -> None:
        """It is open, or has ended; what had not begun is no matter."""
        self._deadlines.pop(opener, None)

    def end_late(self) -> None:
        """Tell those whose time is over; to be called once a second."""
        now_s = self._now_s()
        for opener in [it for it, end_s in self._deadlines.items() if end_s <= now_s]:
            self.end(opener)
            opener.is_late()

    def abort(self) -> None:
        """Break all of them."""
        openers, self._deadlines = list(self._deadlines), {}
        for opener in openers:
            opener.abort()
