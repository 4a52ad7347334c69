"""
How much of a core others took while something was measured on it.

What the core was busy for, less what the measured program used, is somebody else's:
another process's, the system's, or (as stolen time) another virtual machine's.
Source: proc_stat(5).
"""

import os
import time
from pathlib import Path

from attrs import frozen

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

#: From here on a measurement is disturbed. The system's own work for a program that
#: often sleeps, or forks, is up to 5 % (measured on a quiet machine with two cores).
LIMIT = 0.1


@frozen(kw_only=True)
class Moment:
    """A time, and how long a core had been idle by then."""

    at_ns: int
    idle_ns: int


def moment(core: int) -> Moment:
    """This moment."""
    return Moment(
        at_ns=time.monotonic_ns(),
        idle_ns=idle_ns(Path("/proc/stat").read_text(), core),
    )


def idle_ns(text: str, core: int) -> int:
    """How long a core has been idle, or waited for a disk, in ``/proc/stat``."""
    _, _, rest = text.partition(f"cpu{core} ")
    _, _, _, idle, waiting, *_ = rest.split(maxsplit=5)
    return (int(idle) + int(waiting)) * _TICK_NS


def others_share(before: Moment, after: Moment, own_ns: float) -> float:
    """
    Args:
        before: when the measurement began.
        after: when it ended.
        own_ns: what the measured program used of the core.

    Returns:
        What others took, 0 to 1 of the time.
    """
    passed_ns = after.at_ns - before.at_ns
    busy_ns = passed_ns - (after.idle_ns - before.idle_ns)
    return min(1.0, max(0.0, (busy_ns - own_ns) / passed_ns))
