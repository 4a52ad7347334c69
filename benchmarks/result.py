"""All that a run has seen: what goes into the JSON, and comes out of it again."""

import json
from typing import Any

from attrs import asdict, frozen

from .machine import Machine
from .sample import Sample


@frozen(kw_only=True)
class Result:
    """
    Attributes:
        day: when, as ``YYYY-MM-DD``.
        command: how to have it again.
        repeats: how often everything was measured.
        warm_up_s: how long each load ran before it counted.
        seconds: how long it counted.
        machine: what it was measured on.
        absent: the reason of each subject that could not run.
        samples: every single measurement.
    """

    day: str
    command: str
    repeats: int
    warm_up_s: float
    seconds: float
    machine: Machine
    absent: dict[str, str]
    samples: tuple[Sample, ...]


def to_json(result: Result) -> str:
    """A document: one line a measurement, so that two runs can be compared."""
    value = asdict(result)
    samples = ",\n".join(f"  {json.dumps(it)}" for it in value.pop("samples"))
    head = json.dumps(value, indent=1).removesuffix("\n}")
    return f'{head},\n "samples": [\n{samples}\n ]\n}}\n'


def from_json(text: str) -> Result:
    """What ``to_json`` wrote; TypeError, KeyError or ValueError for anything else."""
    value: dict[str, Any] = json.loads(text)
    machine = Machine(**value.pop("machine"))
    samples = tuple(Sample(**it) for it in value.pop("samples"))
    return Result(machine=machine, samples=samples, **value)
