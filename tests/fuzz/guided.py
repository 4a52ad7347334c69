"""
The same with inputs that a fuzzer finds which sees what each one reaches; make fuzz.

    python -m tests.fuzz.guided -runs=10000000

Takes the options of libFuzzer. An input that fails is written to build/crash-...
"""

import sys
from importlib import import_module
from pathlib import Path

from .headers import VALID

#: What it begins with, and what it has found so far.
CORPUS = Path("build/fuzz")

# A payload may come behind the longest header.
_OPTIONS = ("-max_len=4300", "-artifact_prefix=build/")


def main() -> None:
    """Check inputs until one fails, or there were as many as wanted."""
    # It is not among what the tests need, and has no types.
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["echod"]):
        facts = import_module("tests.fuzz.facts")

    def check(data: bytes) -> None:
        facts.check(data, (data[-1] if data else 0) % (len(data) + 1))

    CORPUS.mkdir(parents=True, exist_ok=True)
    for number, header in enumerate(VALID.values()):
        (CORPUS / f"valid-{number}").write_bytes(header)
    atheris.Setup([sys.argv[0], *_OPTIONS, *sys.argv[1:], str(CORPUS)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
