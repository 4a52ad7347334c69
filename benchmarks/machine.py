"""The machine and the versions that the figures belong to; no names, no places."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import frozen

from .process import environment

_DISTRIBUTIONS = {"echod": "echod", "Twisted": "twisted", "uvloop": "uvloop"}
_PROGRAMS = {
    "gcc": ("gcc", "--version"),
    "Go": ("go", "version"),
    "Node": ("node", "--version"),
    "socat": ("socat", "-V"),
    "ncat": ("ncat", "--version"),
    "xinetd": ("xinetd", "-version"),
}
_SYSTEM = ("net/core/somaxconn", "net/core/rmem_default")
_NUMBER = re.compile(r"\d+(?:\.\d+)+\S*")
_PATIENCE_S = 5.0


@frozen(kw_only=True)
class Machine:
    """
    Attributes:
        processor: its model, as it says itself.
        cores: how many this process may use.
        kernel: its release.
        versions: of each program and library that is there.
        system: the kernel's settings that matter here.
    """

    processor: str
    cores: int
    kernel: str
    versions: dict[str, str]
    system: dict[str, str]


def this_machine() -> Machine:
    """What the run is on."""
    return Machine(
        processor=processor(Path("/proc/cpuinfo").read_text()),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{platform.system()} {platform.release()}",
        versions=dict(sorted(_versions().items(), key=lambda it: it[0].lower())),
        system={
            name.replace("/", "."): (Path("/proc/sys") / name).read_text().strip()
            for name in _SYSTEM
        },
    )


def processor(cpuinfo: str) -> str:
    """The model's name in ``/proc/cpuinfo``, or the architecture."""
    found = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    return found[1] if found else platform.machine()


def number(said: str) -> str:
    """The version in what a program says of itself; all of it if there is none."""
    found = _NUMBER.search(said)
    return found[0].rstrip(",;:)") if found else said.strip()


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version()}
    for title, name in _DISTRIBUTIONS.items():
        try:
            versions[title] = version(name)
        except PackageNotFoundError:
            continue
    for title, command in _PROGRAMS.items():
        said = _said(command)
        if said is not None:
            versions[title] = number(said)
    return versions


def _said(command: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run(
            command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except OSError:
        return None
    return done.stdout
