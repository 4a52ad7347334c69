"""Very many headers that are nearly right."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import get_args

from echod.wire.proxy.header import Reason

from ..fuzz.__main__ import found
from ..fuzz.headers import VALID
from ..fuzz.mutation import mutations
from ..support.daemon import clean_environment

ROOT = Path(__file__).parent.parent.parent

RUNS = 1_000_000

#: It takes 10 s on a machine of 2026 that has nothing else to do.
PATIENCE_S = 300.0


def test_a_million_mutations() -> None:
    """Of a million mutated headers, each is one, is refused, or wants more."""
    # In a process of its own, whose coverage is not measured: that takes as long again.
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--runs", str(RUNS)],
        cwd=ROOT,
        env=clean_environment("COVERAGE_"),
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (0, "") == (ended.returncode, ended.stderr), ended.stdout
    counts = json.loads(ended.stdout.partition("\n")[0])
    assert RUNS == sum(counts.values())
    assert {*get_args(Reason), "more", "local", "header"} == set(counts)
    # All are reached, not just once by chance.
    assert min(counts.values()) > RUNS / 5_000


def test_the_same_in_each_run() -> None:
    """A seed stands for the same inputs, and another one for others."""
    corpus = list(VALID.values())
    first, again, other = (mutations(corpus, seed) for seed in (1, 1, 2))
    assert [next(first) for _ in range(50)] == [next(again) for _ in range(50)]
    assert [next(again) for _ in range(50)] != [next(other) for _ in range(50)]


def test_what_it_finds_is_counted() -> None:
    """Each input counts once."""
    assert 500 == sum(found(500, Random(1).getrandbits(16)).values())
