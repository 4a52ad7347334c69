"""How long round trips take."""

import math
import socket
import statistics
import time
from collections.abc import Callable

from .connection import PATIENCE_S, round_trip

#: What a person or a health check does not notice.
QUICK_S = 0.05

# How far apart the round trips of one attempt should begin.
_INTERVAL_S = 0.005


def round_trips_s(
    connection: socket.socket, is_on: Callable[[], object]
) -> list[float]:
    """
    The times of round trips, one every 5 ms for as long as ``is_on()``.

    One that begins late, because the last one took too long, counts from when it
    should have begun: a single long stall delays all who would have asked meanwhile.
    """
    samples_s: list[float] = []
    due_s = time.perf_counter()
    while is_on() or not samples_s:
        time.sleep(max(0.0, due_s - time.perf_counter()))
        assert b"ping" == round_trip(connection, b"ping")
        samples_s.append(time.perf_counter() - due_s)
        due_s += _INTERVAL_S
    return samples_s


def p99_s(samples_s: list[float]) -> float:
    """What 99 of 100 samples do not exceed."""
    return sorted(samples_s)[math.ceil(len(samples_s) * 0.99) - 1]


def typical_p99_s(attempt: Callable[[], list[float]]) -> float:
    """
    The middle one of three attempts' p99.

    Whatever else the machine does may delay one attempt for longer than the bound
    under test; a fault of echod delays all three.
    """
    return statistics.median(p99_s(attempt()) for _ in range(3))


def seconds_until(condition: Callable[[], object]) -> float:
    """How long it takes for ``condition`` to hold; AssertionError if it never does."""
    begin_s = time.monotonic()
    while not condition():
        assert time.monotonic() < begin_s + PATIENCE_S, "this takes too long"
        time.sleep(0.001)
    return time.monotonic() - begin_s
