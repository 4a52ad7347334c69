"""The subjects: every server that is measured, and how it is started."""

import importlib.util
import shutil
import sys
from pathlib import Path

from attrs import frozen

PEERS = Path(__file__).parent / "peers"

# What stands in a command for a path that is known only when it is run.
_PYTHON = ("{python}", "-I")


@frozen(kw_only=True)
class Subject:
    """
    One server program.

    Attributes:
        name: as on the command line and in the JSON.
        title: as in the report.
        tcp: the command that serves TCP on ``{port}`` of 127.0.0.1.
        udp: the same for UDP; None if the one process serves both.
        programs: what must be on PATH.
        modules: what Python must be able to import.
        files: files of ``peers/`` to copy beside it, with ``@PORT@`` replaced.
        forks: whether each connection is a process of its own.
    """

    name: str
    title: str
    tcp: tuple[str, ...]
    udp: tuple[str, ...] | None = None
    programs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    forks: bool = False

    @property
    def is_one_process(self) -> bool:
        """Whether the same process serves TCP and UDP."""
        return self.udp is None

    def absence(self) -> str | None:
        """Why it cannot run on this machine; None if it can."""
        for program in self.programs:
            if shutil.which(program) is None:
                return f"no {program} on PATH"
        for module in self.modules:
            if importlib.util.find_spec(module) is None:
                return f"no {module} in this Python"
        return None

    def command(
        self, transport: str, port: int, *, built: Path, folder: Path
    ) -> list[str]:
        """
        The words to run.

        Args:
            transport: ``tcp`` or ``udp``.
            port: where it is to listen.
            built: the folder of the compiled programs.
            folder: where the subject runs; ``files`` are put there.
        """
        for name in self.files:
            text = (PEERS / name).read_text().replace("@PORT@", str(port))
            (folder / name).write_text(text)
        places = {
            "port": port,
            "python": sys.executable,
            "twistd": Path(sys.executable).parent / "twistd",
            "built": built.absolute(),
            "peers": PEERS,
            "folder": folder,
        }
        words = self.udp if self.udp and transport == "udp" else self.tcp
        return [word.format(**places) for word in words]


def _echod(transport: str) -> tuple[str, ...]:
    words = ("{twistd}", "-n", "--pidfile=", "echod", "--host", "127.0.0.1")
    return (*words, "--port", "{port}", "--transport", transport)


SUBJECTS = (
    Subject(
        name="c",
        title="C (reference)",
        tcp=("{built}/tcp_server", "{port}"),
        udp=("{built}/udp_server", "{port}"),
    ),
    Subject(name="echod-fast", title="echod, fast", tcp=_echod("fast")),
    Subject(name="echod-stock", title="echod, stock", tcp=_echod("stock")),
    Subject(
        name="twisted",
        title="Twisted's example",
        tcp=(*_PYTHON, "{peers}/twisted_echo.py", "{port}"),
    ),
    Subject(
        name="asyncio",
        title="asyncio",
        tcp=(*_PYTHON, "{peers}/asyncio_echo.py", "{port}"),
    ),
    Subject(
        name="uvloop",
        title="uvloop",
        modules=("uvloop",),
        tcp=(*_PYTHON, "{peers}/asyncio_echo.py", "{port}", "uvloop"),
    ),
    Subject(
        name="go",
        title="Go",
        programs=("go",),
        tcp=("{built}/echo_go", "{port}"),
    ),
    Subject(
        name="node",
        title="Node",
        programs=("node",),
        tcp=("node", "{peers}/echo.js", "{port}"),
    ),
    Subject(
        name="socat",
        title="socat",
        tcp=(
            "socat",
            "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=4096,nodelay",
            "PIPE",
        ),
        udp=("socat", "UDP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "PIPE"),
        programs=("socat",),
        forks=True,
    ),
    Subject(
        name="ncat",
        title="ncat",
        tcp=(
            *("ncat", "--listen", "--keep-open", "--max-conns", "20000"),
            *("--exec", "/bin/cat", "127.0.0.1", "{port}"),
        ),
        udp=(
            *("ncat", "--udp", "--listen", "--keep-open"),
            *("--exec", "/bin/cat", "127.0.0.1", "{port}"),
        ),
        programs=("ncat",),
        forks=True,
    ),
    Subject(
        name="xinetd",
        title="xinetd",
        tcp=(
            *("xinetd", "-dontfork", "-f", "{folder}/xinetd.conf"),
            *("-pidfile", "{folder}/xinetd.pid"),
        ),
        programs=("xinetd",),
        files=("xinetd.conf",),
        forks=True,
    ),
)

REFERENCE = "c"
OURS = "echod-fast"
