"""
Mutated headers of the PROXY protocol, without end or as many as wanted.

    python -m tests.fuzz --runs 1000000 --seed 1
"""

import argparse
import json
import time
from collections import Counter
from itertools import islice
from random import Random

from echod.wire.proxy.header import Header

from .facts import check
from .headers import VALID
from .mutation import mutations


def main() -> None:
    """Check as many as the command line says; print what they were, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    begin_s = time.monotonic()
    print(json.dumps(found(given.runs, given.seed)))
    print(f"{given.runs} inputs in {time.monotonic() - begin_s:.1f} s")


def found(runs: int, seed: int) -> dict[str, int]:
    """How often each outcome came up."""
    number = Random(seed).random
    counts: Counter[str] = Counter()
    for data in islice(mutations(list(VALID.values()), seed), runs):
        try:
            outcome = check(data, int(number() * (len(data) + 1)))
        except BaseException:
            print(f"{data!r} is the one")
            raise
        if isinstance(outcome, Header):
            counts["local" if outcome.is_local else "header"] += 1
        else:
            counts[outcome or "more"] += 1
    return dict(counts)


if __name__ == "__main__":
    main()
