"""What TLS has done: plain numbers that only grow."""

from collections import Counter

from attrs import define, field

from .failure import Reason


@define
class TlsCounters:
    """
    Attributes:
        handshakes: those that were completed.
        failed: connections that ended before that, by reason.
        truncated: connections whose peer ended its stream by a bare FIN, without the
            close_notify that says that nothing was cut off.
        broken: connections that were ended because, once open, their peer sent what is
            no TLS, or an alert.
    """

    handshakes: int = 0
    failed: Counter[Reason] = field(factory=Counter)
    truncated: int = 0
    broken: int = 0
