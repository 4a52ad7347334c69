"""What is shipped, and what it is like to install it and to take it away again."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from email.message import Message
from email.parser import Parser
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

import pytest
from attrs import frozen

import echod

ROOT = Path(__file__).parents[1]
STEM = f"echod-{echod.__version__}"
PLUGIN = "twisted/plugins/echod_plugin.py"

# Twisted's own files: a copy of ours would take their place, and be missed by all
# plugins when echod is uninstalled.
TWISTEDS_OWN = ("twisted/__init__.py", "twisted/plugins/__init__.py")

#: What git and other tools leave in a checkout, as in .gitignore: no part of it.
LITTER = (
    *(".git", ".venv", "__pycache__", "*.py[cod]", "*.egg-info", "build", "dist"),
    *(".*_cache", ".coverage*", "htmlcov", ".hypothesis", "_trial_temp*"),
    *("dropin.cache", "twistd.pid", "twistd.log*"),
)

#: Variables of whoever runs the tests that would change what the programs do.
FOREIGN = ("ECHOD_", "PYTHON", "GIT_", "COVERAGE_")

#: The most that pip may take, which may have to fetch all of Twisted.
PATIENCE_S = 300.0

IN_THE_LIST = re.compile(r"^ +echod +An echo service", re.MULTILINE)


def run(*command: str | Path, folder: Path) -> str:
    """What a program prints on standard output; AssertionError if it fails."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def files(folder: Path, *below: str) -> set[str]:
    """The names, relative to ``folder``, of the files below each of some folders."""
    found = (it for name in below or ["."] for it in (folder / name).rglob("*"))
    return {it.relative_to(folder).as_posix() for it in found if it.is_file()}


def copy_of_checkout(place: Path) -> Path:
    """The checkout as git would clone it, with all changes since."""

    def litter(folder: str, names: list[str]) -> set[str]:
        return {
            name
            for name in names
            if any(fnmatch(name, pattern) for pattern in LITTER)
            or Path(folder, name, "pyvenv.cfg").exists()
        }

    return shutil.copytree(ROOT, place, ignore=litter)


@frozen
class Environment:
    """
    A virtual environment.

    Args:
        folder: where it is.
    """

    folder: Path

    def pip(self, *arguments: str | Path) -> str:
        """Run pip on it."""
        # This environment's pip does it: to install one more takes 3 s.
        pip = (sys.executable, "-m", "pip", f"--python={self.folder}/bin/python")
        return run(*pip, *arguments, folder=self.folder)

    def run(self, script: str, *arguments: str, folder: Path | None = None) -> str:
        """Run one of its scripts, in a folder that holds no part of echod."""
        # Not by the script's first line: that names the place where it was installed.
        command = (self.folder / "bin/python", self.folder / "bin" / script)
        return run(*command, *arguments, folder=folder or self.folder)


def new_environment(folder: Path, *what: str | Path) -> Environment:
    """A fresh environment with nothing in it but what pip was told to install."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder.parent)
    environment = Environment(folder)
    # Compiling all of Twisted takes 4 s of 6; what is imported is compiled then.
    environment.pip("install", "--quiet", "--no-compile", *what)
    return environment


def build(tree: Path) -> Path:
    """The folder with the sdist of a checkout, and the wheel made from the sdist."""
    # Left by any twistd that runs in a checkout; neither may be shipped.
    (tree / PLUGIN).with_name("dropin.cache").touch()
    (tree / "echod/__pycache__").mkdir()
    (tree / "echod/__pycache__/tap.cpython-311.pyc").touch()
    run(sys.executable, "-m", "build", folder=tree)
    return tree / "dist"


class Workshop:
    """
    Whatever takes long, made once: on two cores in the time of the longest.

    Args:
        folder: where all is made.

    Attributes:
        clean: a copy of the checkout in which nothing is ever run.
        tree: a copy of the checkout, installed as editable.
    """

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.clean = copy_of_checkout(folder / "clean")
        self.tree = shutil.copytree(self.clean, folder / "tree")
        to_build = shutil.copytree(self.clean, folder / "to_build")
        self._editable = pool.submit(
            new_environment, folder / "editable", "--editable", self.tree
        )
        self._dist: Future[Path] = pool.submit(build, to_build)
        self._wheel = pool.submit(
            lambda: new_environment(folder / "from_wheel", self.wheel)
        )

    @property
    def wheel(self) -> Path:
        return self._dist.result() / f"{STEM}-py3-none-any.whl"

    @property
    def sdist(self) -> Path:
        return self._dist.result() / f"{STEM}.tar.gz"

    def environment(self, name: str) -> Environment:
        """The ``wheel`` installed, or ``tree`` as ``editable``."""
        return {"wheel": self._wheel, "editable": self._editable}[name].result()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with ThreadPoolExecutor() as pool:
        yield Workshop(tmp_path_factory.mktemp("workshop"), pool)


@pytest.fixture(params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, workshop: Workshop) -> Environment:
    return workshop.environment(request.param)


def metadata(workshop: Workshop) -> Message:
    with ZipFile(workshop.wheel) as archive:
        text = archive.read(f"{STEM}.dist-info/METADATA").decode()
    return Parser().parsestr(text)


@pytest.mark.parametrize("name", TWISTEDS_OWN)
def test_checkout_shadows_nothing_of_twisted(name: str) -> None:
    """The checkout has no __init__.py under twisted/: it would hide Twisted's own."""
    assert not (ROOT / name).exists()


def test_wheel_holds_the_package_and_the_plugin(workshop: Workshop) -> None:
    """The wheel holds all of echod/, the plugin, its own papers, and nothing else."""
    papers = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt")
    with ZipFile(workshop.wheel) as archive:
        names = archive.namelist()
    assert sorted(
        [
            *files(workshop.clean, "echod"),
            PLUGIN,
            *(f"{STEM}.dist-info/{paper}" for paper in papers),
            f"{STEM}.dist-info/licenses/LICENSE",
        ]
    ) == sorted(names)


def test_wheel_is_typed(workshop: Workshop) -> None:
    """Type checkers read echod's annotations, because the wheel has a py.typed."""
    with ZipFile(workshop.wheel) as archive:
        assert "echod/py.typed" in archive.namelist()


@pytest.mark.parametrize("name", [*TWISTEDS_OWN, "twisted/plugins/dropin.cache"])
def test_wheel_replaces_nothing_of_twisted(workshop: Workshop, name: str) -> None:
    """No file of the wheel is one that Twisted has, or writes, itself."""
    with ZipFile(workshop.wheel) as archive:
        assert name not in archive.namelist()


def test_sdist_holds_what_a_developer_needs(workshop: Workshop) -> None:
    """The sdist holds the tests, the examples, the documentation and the Makefile."""
    with tarfile.open(workshop.sdist) as archive:
        names = {it.name.removeprefix(f"{STEM}/") for it in archive if it.isfile()}
    expected = {
        *files(workshop.clean, "echod", "twisted", "tests", "examples", "docs"),
        *("Makefile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "README.md"),
        *("pyproject.toml", "setup.cfg", "MANIFEST.in"),
    }
    assert set() == expected - names
    assert [] == [it for it in names if it.endswith((".pyc", "dropin.cache"))]


def test_metadata_says_who_may_use_it(workshop: Workshop) -> None:
    """The package is named echod, is under the MIT licence, and needs Python 3.11."""
    paper = metadata(workshop)
    assert ("echod", echod.__version__) == (paper["Name"], paper["Version"])
    assert ("MIT", "LICENSE") == (paper["License-Expression"], paper["License-File"])
    assert paper["Requires-Python"] == ">=3.11"


def test_metadata_has_the_readme(workshop: Workshop) -> None:
    """The README is what a package index shows."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    paper = metadata(workshop)
    assert paper["Description-Content-Type"] == "text/markdown"
    assert readme.strip() == str(paper.get_payload()).strip()


def test_wheel_has_one_command(workshop: Workshop) -> None:
    """The wheel installs the command ``echod``, and no other."""
    with ZipFile(workshop.wheel) as archive:
        text = archive.read(f"{STEM}.dist-info/entry_points.txt").decode()
    assert text.split() == ["[console_scripts]", "echod", "=", "echod.__main__:main"]


def test_twistd_finds_echod(installed: Environment) -> None:
    """Wherever it is run, and however echod was installed, twistd lists echod."""
    assert IN_THE_LIST.search(installed.run("twistd", "--help"))


def test_twistd_runs_echod(installed: Environment) -> None:
    """``twistd echod`` is echod: it tells echod's version, not Twisted's."""
    said = installed.run("twistd", "-n", "--pidfile=", "echod", "--version")
    assert said.startswith(f"echod {echod.__version__} (Twisted ")


def test_command_runs(installed: Environment) -> None:
    """The command ``echod`` tells its version, however echod was installed."""
    assert f"echod {echod.__version__}\n" == installed.run("echod", "--version")


def test_dependencies_agree(installed: Environment) -> None:
    """Nothing that echod needs is missing, or of a version that another refuses."""
    assert installed.pip("check") == "No broken requirements found.\n"


def test_uninstalling_leaves_twisted_whole(workshop: Workshop, tmp_path: Path) -> None:
    """Uninstalling echod takes away its own files only: twistd finds other plugins."""
    original = workshop.environment("wheel").folder
    environment = Environment(shutil.copytree(original, tmp_path / "v", symlinks=True))
    assert IN_THE_LIST.search(environment.run("twistd", "--help"))
    environment.pip("uninstall", "--yes", "--quiet", "echod")
    said = environment.run("twistd", "--help")
    assert not IN_THE_LIST.search(said)
    assert re.search(r"^ +web +", said, re.MULTILINE)
    (packages,) = environment.folder.glob("lib/python*/site-packages")
    for name in TWISTEDS_OWN:
        assert (packages / name).is_file()
    assert [] == [it for it in files(environment.folder) if "echod" in it]


@pytest.mark.peer("git")
def test_running_in_a_checkout_leaves_it_clean(workshop: Workshop) -> None:
    """All that installing and running echod leaves in a checkout is ignored by git."""
    if not (workshop.clean / ".gitignore").exists():
        pytest.skip("needs a checkout with a .gitignore")
    before = files(workshop.clean)
    tree = workshop.tree
    workshop.environment("editable").run("twistd", "--help", folder=tree)
    assert (tree / PLUGIN).with_name("dropin.cache").exists()
    run("git", "init", "--quiet", folder=tree)
    new = run("git", "ls-files", "--others", "--exclude-standard", folder=tree)
    assert before == set(new.splitlines())


@pytest.mark.skipif(
    importlib.util.find_spec("towncrier") is None, reason="needs towncrier"
)
def test_every_fragment_is_news(workshop: Workshop) -> None:
    """Every file in newsfragments/ appears in the news of the next release."""
    folder = workshop.clean / "newsfragments"
    if not folder.exists():
        pytest.skip("needs a checkout with newsfragments/")
    draft = run(
        *(sys.executable, "-m", "towncrier", "build", "--draft", "--version", "1.0"),
        folder=workshop.clean,
    )
    tools = tomllib.loads((workshop.clean / "pyproject.toml").read_text())["tool"]
    kinds = [it["directory"] for it in tools["towncrier"]["type"]]
    for fragment in files(folder) - {".gitkeep"}:
        assert fragment.split(".")[1] in kinds, fragment
        first_line = (folder / fragment).read_text(encoding="utf-8").splitlines()[0]
        assert first_line, fragment
        assert first_line in draft, fragment
