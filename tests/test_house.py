"""The rules of the house, read from its source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

import echod

ROOT = Path(echod.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

#: From the ground up; what stands on one floor does not see its neighbours.
FLOORS = [
    {"errors"},
    {"wire", "policy"},
    {"settings"},
    {"config", "echo", "transport"},
    {"operations", "client"},
    {"service", "command"},
    {"tap", "__main__", "__init__"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}

#: What rooms of pure decisions must not see.
WORLD = ("socket", "ssl", "ctypes", "os", "time", "twisted.internet")


def room(module: Path) -> str:
    """The folder of a module, or its own name where it has none."""
    first = module.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports(module: Path, *, at_module_level: bool = False) -> Iterator[str]:
    """The absolute names of what a module imports; those for types count too."""
    package = module.relative_to(ROOT.parent).parent.parts
    tree = ast.parse(module.read_text())
    nodes = tree.body if at_module_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{name.name}" for name in node.names)


def named(module: Path) -> str:
    return str(module.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_imports_point_down(module: Path) -> None:
    """A module imports from lower floors, or from its own room."""
    for name in imports(module):
        top, _, rest = name.partition(".")
        asked = rest.partition(".")[0]
        if top == "echod" and asked in LEVEL and asked != room(module):
            assert LEVEL[asked] < LEVEL[room(module)], name


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_every_module_has_a_floor(module: Path) -> None:
    """No room stands outside the house."""
    assert room(module) in LEVEL


@pytest.mark.parametrize(
    "module", [it for it in MODULES if room(it) in ("wire", "policy")], ids=named
)
def test_decisions_do_not_see_the_world(module: Path) -> None:
    """Neither wire nor policy has a clock, a socket or a reactor."""
    for name in imports(module):
        assert not any(name == it or name.startswith(it + ".") for it in WORLD), name


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_reactor_is_asked_for_late(module: Path) -> None:
    """Nobody imports the reactor at module level; tap and command do so at all."""
    assert "twisted.internet.reactor" not in imports(module, at_module_level=True)
    if room(module) not in ("tap", "command"):
        assert "twisted.internet.reactor" not in imports(module)


def test_modules_are_short() -> None:
    """A module holds one noun: at most 350 lines, the median under 150."""
    lengths = {named(it): len(it.read_text().splitlines()) for it in MODULES}
    assert [] == [it for it, length in lengths.items() if length > 350]
    assert median(lengths.values()) < 150


def test_functions_are_short() -> None:
    """A function is at most 60 lines long, the median under 10, docstrings apart."""
    lengths = {}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                last = body[-1].end_lineno or 0 if body else node.lineno
                first = body[0].lineno if body else node.lineno
                lengths[f"{named(module)}:{node.name}"] = last - first + 1
    assert [] == [it for it, length in lengths.items() if length > 60]
    assert median(lengths.values()) < 10


def test_a_folder_has_two_modules() -> None:
    """A folder appears with its second module, not before."""
    for folder in {it.parent for it in MODULES}:
        assert len(list(folder.glob("[!_]*.py"))) >= 2, folder


def test_public_names() -> None:
    """These names are the public API; taking one away breaks somebody's program."""
    assert [
        "BatchedDatagramPort",
        "DatagramPort",
        "EchoDatagramProtocol",
        "EchoFactory",
        "EchoProtocol",
        "EchoService",
        "EchodError",
        "Listener",
        "NestedReactor",
        "Settings",
        "make_service",
    ] == echod.__all__
    assert sorted(echod.__all__) == sorted(echod._HOMES)
    for name in echod.__all__:
        assert name == getattr(echod, name).__name__
        assert name in dir(echod)


def test_no_other_name_is_public() -> None:
    """A misspelt name is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="no attribute 'EchoFactori'"):
        echod.EchoFactori  # noqa: B018


def test_import_has_no_side_effects() -> None:
    """Importing all of echod installs no reactor, opens nothing and writes nothing."""
    program = """if True:
        import importlib, os, pkgutil, sys
        before = set(os.listdir("/proc/self/fd"))
        import echod
        assert "twisted" not in sys.modules
        for module in pkgutil.walk_packages(echod.__path__, "echod."):
            if module.name != "echod.__main__":
                importlib.import_module(module.name)
        for name in echod.__all__:
            getattr(echod, name)
        assert "twisted.internet.reactor" not in sys.modules
        assert set(os.listdir("/proc/self/fd")) == before
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)
