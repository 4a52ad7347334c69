"""The documentation, run."""

import contextlib
import io
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from echod import Settings
from echod.config import layers
from echod.config.document import document

from .support.daemon import BIN, Daemon, clean_environment
from .support.network import Network
from .support.reference import reference

ROOT = Path(__file__).parent.parent

#: The port that the documents speak of, and the one for a second service.
PORTS = ("65432", "7000")

PAGES = sorted(f"docs/{it.name}" for it in (ROOT / "docs").glob("*.md"))

#: Those whose commands are for the service that the README starts, or for none.
WITH_SESSIONS = ("README.md", "docs/lesson.md", "docs/listeners.md")

#: What a README says and a test must not do: it would be doing it already.
NOT_HERE = ("make run", "make test")


def sessions(name: str) -> list[tuple[str, str]]:
    """The commands of a document's console blocks, each with what it prints."""
    text = (ROOT / name).read_text()
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    return [line for line in lines if line[0] not in NOT_HERE]


def programs(name: str) -> list[str]:
    """A document's Python blocks that are whole programs."""
    text = (ROOT / name).read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [block for block in blocks if block.startswith("import socket")]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A service with TCP and UDP on one port, as the documents have it."""
    folder = tmp_path_factory.mktemp("daemon")
    for _ in range(10):
        with Daemon(folder) as first:
            port = str(first.ports["tcp"])
        with contextlib.suppress(AssertionError), Daemon(folder, "--port", port) as it:
            yield it
            return
    raise AssertionError("no port is free for both TCP and UDP")


@pytest.mark.peer("socat", "ncat")
@pytest.mark.parametrize(
    ("command", "printed"),
    [it for name in WITH_SESSIONS for it in sessions(name)],
)
def test_command_prints_what_the_document_says(
    daemon: Daemon, command: str, printed: str
) -> None:
    """Every command in the documents prints what stands below it."""
    port = str(daemon.ports["tcp"])
    is_about_the_daemon = "check-config" not in command
    if is_about_the_daemon:
        command = command.replace("65432", port)
    # A terminal is on a new line when the next prompt comes.
    assert printed.rstrip("\n") == printed_by(command).rstrip("\n")


def printed_by(command: str) -> str:
    """What a command of a document prints, and what it complains of."""
    done = subprocess.run(
        ["bash", "-c", command],
        env=clean_environment() | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
        check=False,
    )
    return done.stdout


@pytest.mark.peer("socat", "ncat", "nc")
def test_commands_of_unix_sockets(tmp_path: Path) -> None:
    """Every client of UNIX sockets in the documents hears what stands below it."""
    (_, _), *asking = sessions("docs/unix.md")
    listen = (
        *("--listen", f"unix:{tmp_path}/echo.sock"),
        *("--listen", "unix:@echo"),
        *("--listen", f"unixgram:{tmp_path}/echo-datagram.sock"),
    )
    with Network() as network, network.inside(Daemon(tmp_path, *listen, listeners=3)):
        for command, printed in asking:
            here = command.replace("/run/echod", str(tmp_path))
            assert printed == network.call(printed_by, here), command


@pytest.mark.parametrize("program", programs("docs/lesson.md"))
def test_program_of_the_lesson_runs(daemon: Daemon, program: str) -> None:
    """The lesson's programs print the lesson's answer."""
    program = program.replace("65432", str(daemon.ports["tcp"]))
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(program, "lesson.md", "exec"), {})  # noqa: S102 - our own text
    assert "Received b'Hello, world'\n" == printed.getvalue()


def test_log_lines_are_as_documented(daemon: Daemon) -> None:
    """The log has the lines that the documents show."""
    for line in ("Listening on tcp:", "Listening on udp:"):
        assert line in daemon.log


def test_reference_is_that_of_the_settings() -> None:
    """``docs/settings.md`` has the table that ``tests/support/reference.py`` prints."""
    assert reference() in (ROOT / "docs/settings.md").read_text()


def test_example_file_has_every_default() -> None:
    """``docs/echod.toml`` is what ``echod serve --print-config`` prints."""
    assert document(Settings()) == (ROOT / "docs/echod.toml").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_files_are_settings(name: str, tmp_path: Path) -> None:
    """Every configuration file in the documents is one."""
    for block in re.findall(r"```toml\n(.*?)```", (ROOT / name).read_text(), re.DOTALL):
        path = tmp_path / "echod.toml"
        path.write_text(block)
        assert layers.settings({}, {}, str(path)).listeners


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", *PAGES])
def test_links_lead_somewhere(name: str) -> None:
    """Every link to a file of the project leads to one."""
    page = ROOT / name
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not link.startswith("https://"):
            assert (page.parent / link).exists(), link
