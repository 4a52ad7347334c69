"""What conftest.py promises, shown on tests that break it."""

import subprocess
import sys
from pathlib import Path

import pytest

from .support.daemon import clean_environment

ROOT = Path(__file__).parent.parent

HEAD = """
import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

class Quiet(DatagramProtocol):
    noisy = False

async def fail():
    raise ValueError("nobody handles this")
"""


@pytest.mark.parametrize(
    ("test", "complaint"),
    [
        ("async def test():\n    await Deferred()", "TimeoutError"),
        ("async def test():\n    assert 0", "assert 0"),
        ("async def test():\n    reactor.callLater(60, list)", "left behind"),
        (
            "async def test():\n    reactor.listenUDP(0, Quiet(), '127.0.0.1')",
            "left behind",
        ),
        ("async def test():\n    Deferred.fromCoroutine(fail())", "logged errors"),
        ("async def test():\n    Logger().error('wrong')", "logged errors"),
        ("def test():\n    Logger().error('wrong')", "logged errors"),
    ],
)
def test_dirty_test_fails(test: str, complaint: str, tmp_path: Path) -> None:
    """A test that hangs, fails, or leaves something behind is told so."""
    assert (1, True) == ran(f"@pytest.mark.deadline(0.2)\n{test}", complaint, tmp_path)


def test_clean_test_passes(tmp_path: Path) -> None:
    """A test that does none of this passes."""
    assert (0, True) == ran("async def test():\n    pass", "1 passed", tmp_path)


def ran(test: str, word: str, folder: Path) -> tuple[int, bool]:
    """The exit code of a pytest run on one test, and whether it says ``word``."""
    path = folder / "test_it.py"
    path.write_text(HEAD + test + "\n")
    plugins = ("-p", "tests.conftest", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, str(path)],
        cwd=ROOT,
        env=clean_environment("COVERAGE_"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, word in done.stdout
