"""
What a server has used up: processor time and memory of all its processes.

A server is a session of processes (``setsid``), so that a child counts whose parent
has ended. Source: proc_pid_stat(5), proc_pid_status(5), and the kernel's
Documentation/scheduler/sched-stats.rst for ``schedstat``.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

PROC = Path("/proc")
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_SIZE = re.compile(r"^(VmHWM|RssAnon):\s+(\d+) kB$", re.MULTILINE)


@frozen(kw_only=True)
class Usage:
    """
    Attributes:
        cpu_ns: user and system time, that of ended children included.
        peak_bytes: the most memory that was resident (VmHWM). Where there are
            several processes, a page that they share counts once for each.
        anonymous_bytes: memory that no file is behind (RssAnon), now.
    """

    cpu_ns: int
    peak_bytes: int
    anonymous_bytes: int


@frozen(kw_only=True)
class Stat:
    """Of a line of ``/proc/PID/stat``: the session and the times, in clock ticks."""

    session: int
    own_ticks: int
    reaped_ticks: int


def stat(line: str) -> Stat:
    """Read a line of ``/proc/PID/stat``."""
    # The second field is a name in parentheses, with any character in it.
    fields = line[line.rindex(")") + 2 :].split()
    # Counted from 1 as in the manual, the first of these is the third.
    session, *times = (int(fields[n - 3]) for n in (6, 14, 15, 16, 17))
    return Stat(session=session, own_ticks=sum(times[:2]), reaped_ticks=sum(times[2:]))


def on_cpu_ns(schedstat: str) -> int:
    """The time on a core, of a line of ``/proc/PID/task/TID/schedstat``."""
    return int(schedstat.split(maxsplit=1)[0])


def sizes_bytes(status: str) -> dict[str, int]:
    """``VmHWM`` and ``RssAnon`` of ``/proc/PID/status``; a zombie has neither."""
    return {name: int(kib) * 1024 for name, kib in _SIZE.findall(status)}


def usage(session: int, proc: Path = PROC) -> Usage:
    """
    Args:
        session: the id of the session, which is that of its first process.
        proc: where the system tells of processes.

    Returns:
        The sum over the processes of a session.
    """
    all_of_it = list(_of_processes(session, proc))
    return Usage(
        cpu_ns=sum(it.cpu_ns for it in all_of_it),
        peak_bytes=sum(it.peak_bytes for it in all_of_it),
        anonymous_bytes=sum(it.anonymous_bytes for it in all_of_it),
    )


def members(session: int, proc: Path = PROC) -> Iterator[int]:
    """The ids of the processes of a session."""
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It has ended meanwhile.
            if stat((folder / "stat").read_text()).session == session:
                yield int(folder.name)


def _of_processes(session: int, proc: Path) -> Iterator[Usage]:
    for pid in members(session, proc):
        folder = proc / str(pid)
        try:
            times = stat((folder / "stat").read_text())
            on_cpu = sum(map(_on_cpu_ns, folder.glob("task/*/schedstat")))
            sizes = sizes_bytes((folder / "status").read_text())
        except OSError:  # It has ended meanwhile, and counts as its parent's.
            continue
        # Ticks count threads that have ended, too, but are cut to 10 ms.
        own_ns = max(on_cpu, times.own_ticks * _TICK_NS)
        yield Usage(
            cpu_ns=own_ns + times.reaped_ticks * _TICK_NS,
            peak_bytes=sizes.get("VmHWM", 0),
            anonymous_bytes=sizes.get("RssAnon", 0),
        )


def _on_cpu_ns(path: Path) -> int:
    try:
        return on_cpu_ns(path.read_text())
    except OSError:  # The thread has ended meanwhile.
        return 0
