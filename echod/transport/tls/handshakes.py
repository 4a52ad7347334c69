"""The handshakes of one listener, or of one client."""

from attrs import field, frozen

from ..opening import Opener, Opening
from .counters import TlsCounters


@frozen
class Handshakes:
    """
    Args:
        opening: tells connections when their time is over.
        timeout_s: how long a handshake may take; 0 for as long as it likes.

    Attributes:
        counters: what has happened so far, to them and what they opened.
    """

    opening: Opening = field(factory=Opening)
    timeout_s: float = 0
    counters: TlsCounters = field(factory=TlsCounters, init=False)

    def begin(self, opener: Opener) -> None:
        """One is under way."""
        self.opening.begin(opener, self.timeout_s)

    def end(self, opener: Opener) -> None:
        """It has come to an end; again does nothing."""
        self.opening.end(opener)
