"""The programs that are built first: the C ones, and the peer in Go."""

import os
import shutil
import subprocess
from pathlib import Path

from .errors import CannotMeasure

HERE = Path(__file__).parent
PROGRAMS = sorted(it.stem for it in (HERE / "c").glob("*.c"))
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")

#: The most that a compiler may take; Go's first build compiles its library.
PATIENCE_S = 300.0


def build_c(folder: Path) -> None:
    """
    Compile every C program into a folder.

    Raises:
        CannotMeasure: there is no gcc, or it refuses the source.
    """
    if shutil.which("gcc") is None:
        raise CannotMeasure("no gcc on PATH; want it, for the reference and the load")
    folder.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        source = HERE / "c" / f"{program}.c"
        said = _compile("gcc", *FLAGS, "-o", str(folder / program), str(source))
        if said is not None:
            raise CannotMeasure(f"gcc does not compile {source.name}: {said}")


def build_go(folder: Path) -> str | None:
    """Compile the peer in Go into a folder; the reason where that cannot be."""
    if shutil.which("go") is None:
        return "no go on PATH"
    source = HERE / "peers/echo.go"
    said = _compile(
        *("go", "build", "-o", str(folder / "echo_go"), str(source)),
        # The default is below a home directory, which not everybody has.
        environment={"GOCACHE": str(folder.absolute() / "go-cache")},
    )
    return None if said is None else f"go does not compile it: {said}"


def _compile(*command: str, environment: dict[str, str] | None = None) -> str | None:
    """What a compiler that failed has said first; None if it did not fail."""
    done = subprocess.run(
        command,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return said[0] if done.returncode else None
