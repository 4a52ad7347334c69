import os
from pathlib import Path

from benchmarks.usage import members, on_cpu_ns, sizes_bytes, stat, usage

# As the kernel writes it: id, name, state, parent, group, session, ...
STAT = (
    "{pid} (a) b) S 1 {session} {session} 0 -1 4194560 100 0 0 0 "
    "7 3 20 5 20 0 1 0 12345 1000000 100 18446744073709551615\n"
)
STATUS = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t     512 kB\n"


def process(proc: Path, pid: int, session: int, *threads_ns: int) -> None:
    """A process in a folder like ``/proc``."""
    folder = proc / str(pid)
    for n, time_ns in enumerate(threads_ns):
        (folder / f"task/{n}").mkdir(parents=True)
        (folder / f"task/{n}/schedstat").write_text(f"{time_ns} 22 3\n")
    (folder / "stat").write_text(STAT.format(pid=pid, session=session))
    (folder / "status").write_text(STATUS)


def test_stat_is_read_past_any_name() -> None:
    """A name with a parenthesis and a blank does not move the fields."""
    found = stat(STAT.format(pid=5, session=5))
    assert (5, 10, 25) == (found.session, found.own_ticks, found.reaped_ticks)


def test_schedstat_is_in_nanoseconds() -> None:
    """The first field is the time on a core; the second, the wait for one."""
    assert 129_883 == on_cpu_ns("129883 91657 2\n")


def test_status_is_in_kib() -> None:
    """Sizes are read as bytes; what has none, as a zombie, has none."""
    assert {"VmHWM": 2 * 2**20, "RssAnon": 512 * 2**10} == sizes_bytes(STATUS)
    assert {} == sizes_bytes("Name:\tx\nState:\tZ (zombie)\n")


def test_usage_is_that_of_a_session(tmp_path: Path) -> None:
    """All threads, children and ended children count; other sessions do not."""
    process(tmp_path, 10, 10, 1_000_000_000, 500_000_000)
    process(tmp_path, 11, 10, 250_000_000)
    process(tmp_path, 12, 12, 777)
    (tmp_path / "13").mkdir()  # It has ended meanwhile.
    assert [10, 11] == sorted(members(10, tmp_path))
    found = usage(10, tmp_path)
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert 1_750_000_000 + 2 * 25 * tick_ns == found.cpu_ns
    assert (4 * 2**20, 2**20) == (found.peak_bytes, found.anonymous_bytes)


def test_ended_threads_count(tmp_path: Path) -> None:
    """Ticks are taken where they say more than the threads that are left."""
    process(tmp_path, 10, 10, 1)
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert (10 + 25) * tick_ns == usage(10, tmp_path).cpu_ns


def test_usage_of_this_process() -> None:
    """The real /proc tells of this process: some time, and memory."""
    found = usage(os.getsid(0))
    assert found.cpu_ns > 0
    assert found.peak_bytes >= found.anonymous_bytes > 0
