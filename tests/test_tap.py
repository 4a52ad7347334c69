import sys
from pathlib import Path

import pytest

from echod.errors import EX_USAGE, UsageError
from echod.tap import check_places, end


def test_places_are_looked_at_inside_a_chroot_by_nobody(tmp_path: Path) -> None:
    """What a path will mean after a chroot is not known before."""
    twistd = {"chroot": str(tmp_path), "pidfile": "/no/such/folder/pid"}
    check_places(twistd)


def test_closed_stderr_leaves_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that nobody listens to ends with the same code."""
    monkeypatch.setattr(sys, "__stderr__", None)
    assert EX_USAGE == end(UsageError("nobody hears this")).code


def test_places_that_can_be_used_are_left_alone(tmp_path: Path) -> None:
    """A file that can be written, and one that can be made, stay as they are."""
    there = tmp_path / "there.pid"
    there.write_text("1")
    twistd = {"pidfile": str(there), "logfile": str(tmp_path / "new.log")}
    check_places(twistd)
    assert ["1"] == [it.read_text() for it in tmp_path.iterdir()]
