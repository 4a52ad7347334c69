"""A sample: what one subject did in one scenario, once."""

from attrs import frozen


@frozen(kw_only=True)
class Sample:
    """
    Attributes:
        failed: why there is nothing to tell; None if all went well.
        messages: how many were answered (messages, datagrams or connections).
        timely: how many of them within ``elapsed_s``; what was under way when the time
            was over is finished, and counts for the rest.
        elapsed_s: the time that counts.
        load_share: how much of its core the load generator used, 0 to 1.
        others_share: how much of the server's core others took, 0 to 1.
        lost: not answered.
        late: answered after they had been counted as lost.
        p50_us: the latency that half of all do not exceed; the others likewise.
        cpu_s: the server's processor time, user and system, children included.
        peak_bytes: the server's greatest resident memory.
        idle_bytes: what a connection costs in anonymous memory.
        flooded: datagrams that the flood has sent.
        flood_s: how long it took.
    """

    subject: str
    scenario: str
    repeat: int
    failed: str | None = None
    messages: int = 0
    timely: int = 0
    elapsed_s: float = 0.0
    load_share: float = 0.0
    others_share: float = 0.0
    lost: int = 0
    late: int = 0
    p50_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    max_us: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    idle_bytes: float = 0.0
    flooded: int = 0
    flood_s: float = 0.0

    @property
    def messages_per_s(self) -> float:
        """Messages answered in time; 0 if nothing was answered."""
        return self.timely / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def cpu_us(self) -> float:
        """The server's processor time for a message; 0 if nothing was answered."""
        return self.cpu_s * 1e6 / self.messages if self.messages else 0.0

    @property
    def flooded_per_s(self) -> float:
        """The flood's datagrams; 0 if there was none."""
        return self.flooded / self.flood_s if self.flood_s else 0.0
