"""The cores: one for the server, one for the load, one for the harness if there is."""

import contextlib
import os
from collections.abc import Collection, Iterator

from attrs import frozen

from .errors import CannotMeasure

_WANTED = 2


@frozen(kw_only=True)
class Cores:
    """Which core each runs on; the harness shares the load's where there are two."""

    server: int
    load: int
    harness: int


def choose(allowed: Collection[int]) -> Cores:
    """
    Args:
        allowed: the cores that this process may use.

    Raises:
        CannotMeasure: there are fewer than two.
    """
    cores = sorted(allowed)
    if len(cores) < _WANTED:
        raise CannotMeasure(
            f"{len(cores)} core to run on; want 2, for the server and its load"
        )
    server, load, *others = cores
    return Cores(server=server, load=load, harness=others[0] if others else load)


@contextlib.contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """This process, and what it starts meanwhile for ever, runs on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
