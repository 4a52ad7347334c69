"""What a process has inherited, and which of it a listener means."""

import errno
import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from twisted.internet import endpoints
from twisted.python.systemd import ListenFDs

from echod.errors import EX_CONFIG, EX_OSERR, CannotListen
from echod.transport.sockets.inherited import InheritedSockets
from echod.transport.sockets.inherited_socket import InheritedSocket
from echod.wire.inherited import InheritedListener

from ...support.activation import FORMS, HasDescriptor, Sockets, run_activated

NOBODY = "no socket was inherited; want a start by a systemd socket unit, "


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Sockets]:
    with Sockets(tmp_path) as sockets:
        yield sockets


def inherited(**given: HasDescriptor) -> InheritedSockets:
    """What a process has that got these, by their names."""
    return InheritedSockets([it.fileno() for it in given.values()], list(given))


def found(given: InheritedSockets, listener: InheritedListener) -> list[int]:
    """The descriptors that a listener means."""
    return [it.descriptor for it in given.matching(listener)]


def refusal(given: InheritedSockets, *listeners: InheritedListener) -> str:
    """Why the last of the listeners cannot be had, without the words before."""
    with pytest.raises(CannotListen) as caught:
        given.share_out(listeners)
    assert EX_CONFIG == caught.value.exit_code
    before, _, reason = str(caught.value).partition(f"{listeners[-1]}: ")
    assert "cannot listen on " == before
    assert reason.isprintable()
    return reason


class TestMatching:
    """Listeners and the sockets that they mean."""

    def test_name(self, opened: Sockets) -> None:
        """A name means the socket that has it."""
        given = inherited(a=opened.open("tcp4"), b=opened.open("udp4"))
        assert [given.descriptors[1]] == found(given, InheritedListener(name="b"))

    def test_index(self, opened: Sockets) -> None:
        """An index counts the descriptors from 0, with or without names."""
        given = inherited(a=opened.open("tcp4"), b=opened.open("udp4"))
        assert [given.descriptors[1]] == found(given, InheritedListener(index=1))
        unnamed = InheritedSockets(given.descriptors)
        assert [given.descriptors[0]] == found(unnamed, InheritedListener(index=0))

    def test_one_name_for_several(self, opened: Sockets) -> None:
        """A name that several sockets have means all of them."""
        given = InheritedSockets(
            [opened.open(form).fileno() for form in FORMS], ["echo"] * len(FORMS)
        )
        echo = InheritedListener(name="echo")
        assert list(given.descriptors) == found(given, echo)
        assert [*FORMS.values()] == [
            (it.family, it.kind) for it in given.matching(echo)
        ]

    @pytest.mark.parametrize(
        ("domain", "kind", "forms"),
        [
            ("INET", "", ["tcp4", "udp4"]),
            ("INET6", "", ["tcp6", "udp6"]),
            ("UNIX", "", ["unix", "unixgram"]),
            ("", "stream", ["tcp4", "tcp6", "unix"]),
            ("", "datagram", ["udp4", "udp6", "unixgram"]),
            ("INET6", "datagram", ["udp6"]),
            ("UNIX", "stream", ["unix"]),
        ],
    )
    def test_told_apart(
        self, opened: Sockets, domain: str, kind: str, forms: list[str]
    ) -> None:
        """Sockets of one name are told apart by what the system says they are."""
        descriptors = {form: opened.open(form).fileno() for form in FORMS}
        given = InheritedSockets([*descriptors.values()], ["echo"] * len(FORMS))
        listener = InheritedListener(name="echo", domain=domain, type=kind)
        assert [descriptors[form] for form in forms] == found(given, listener)

    def test_no_names(self, opened: Sockets) -> None:
        """Without names, and without one for each, all are called as by systemd."""
        descriptors = [opened.open("tcp4").fileno(), opened.open("tcp6").fileno()]
        for names in ([], ["a"], ["a", "b", "c"]):
            given = InheritedSockets(descriptors, names)
            assert descriptors == found(given, InheritedListener(name="unknown"))
            assert ("no inherited socket has this name; want unknown") == refusal(
                given, InheritedListener(name="a")
            )

    def test_others_do_not_matter(self, opened: Sockets) -> None:
        """What no listener means may be anything, and a socket that is ruled out."""
        stream, pair = opened.open("tcp4"), socket.socketpair()
        opened.enter_context(pair[0])
        opened.enter_context(pair[1])
        with Path("/dev/null").open("rb") as device:
            given = InheritedSockets(
                [it.fileno() for it in (device, pair[0], stream)], ["log", "a", "a"]
            )
            listener = InheritedListener(name="a", domain="INET")
            assert [stream.fileno()] == found(given, listener)

    def test_shared_out(self, opened: Sockets) -> None:
        """Each listener gets its own."""
        given = InheritedSockets(
            [opened.open(form).fileno() for form in FORMS], ["echo"] * len(FORMS)
        )
        streams = InheritedListener(name="echo", type="stream")
        datagrams = InheritedListener(name="echo", type="datagram")
        shared = given.share_out([datagrams, streams])
        assert [datagrams] * 3 + [streams] * 3 == [listener for listener, _ in shared]
        assert {*given.descriptors} == {it.descriptor for _, it in shared}


class TestOpen:
    """What is served in the end."""

    def test_duplicates(self, opened: Sockets) -> None:
        """Each socket of a listener comes with a descriptor of its own."""
        given = InheritedSockets(
            [opened.open(form).fileno() for form in FORMS], ["echo"] * len(FORMS)
        )
        ready = given.open(InheritedListener(name="echo"))
        assert [*given.descriptors] == [it.descriptor for it, _ in ready]
        for it, duplicate in ready:
            assert it.descriptor != duplicate.fileno()
            assert (it.family, it.kind) == (duplicate.family, duplicate.type)
            duplicate.close()

    def test_all_or_none(
        self, opened: Sockets, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where there is room for one of two, neither is left open."""
        given = InheritedSockets(
            [opened.open(form).fileno() for form in ("tcp4", "udp4")], ["echo"] * 2
        )
        duplicate = InheritedSocket.duplicate
        made: list[socket.socket] = []

        def reluctant(it: InheritedSocket) -> socket.socket:
            if made:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            made.append(duplicate(it))
            return made[0]

        monkeypatch.setattr(InheritedSocket, "duplicate", reluctant)
        with pytest.raises(CannotListen) as caught:
            given.open(InheritedListener(name="echo"))
        assert EX_OSERR == caught.value.exit_code
        assert (
            "cannot listen on systemd:name=echo: too many open files; "
            "want room for more open files"
        ) == str(caught.value)
        assert [-1] == [it.fileno() for it in made]


class TestRefusals:
    """What cannot be had, in one line each."""

    def test_unknown_name(self, opened: Sockets) -> None:
        """Whoever misspells a name is told which ones there are, once each."""
        descriptors = [opened.open(form).fileno() for form in ("tcp4", "udp4", "tcp6")]
        given = InheritedSockets(descriptors, ["echo", "echo", "admin"])
        assert ("no inherited socket has this name; want echo or admin") == refusal(
            given, InheritedListener(name="ecko")
        )

    def test_names_are_anything(self, opened: Sockets) -> None:
        """Names with control characters do not make more lines of it."""
        given = inherited(**{"a\nb": opened.open("tcp4")})
        assert r"want 'a\nb'" in refusal(given, InheritedListener(name="c"))

    def test_index_out_of_range(self, opened: Sockets) -> None:
        """An index is below the number of descriptors."""
        given = inherited(a=opened.open("tcp4"))
        assert ("1 socket was inherited; want index 0") == refusal(
            given, InheritedListener(index=1)
        )
        given = inherited(a=opened.open("tcp6"), b=opened.open("udp6"))
        assert ("2 sockets were inherited; want an index of 0 to 1") == refusal(
            given, InheritedListener(index=7)
        )

    def test_nothing_inherited(self) -> None:
        """A process that was started by hand has inherited nothing."""
        for owner in ("", str(os.getpid())):
            reason = refusal(InheritedSockets(owner=owner), InheritedListener(index=0))
            assert reason.startswith(NOBODY)

    def test_meant_for_somebody_else(self) -> None:
        """A program in between that does not exec gets the sockets in our place."""
        assert (
            f"the sockets are for process 1, not {os.getpid()}; "
            "want no program between this one and the one that opens them"
        ) == refusal(InheritedSockets(owner="1"), InheritedListener(name="a"))

    def test_wrong_domain_and_type(self, opened: Sockets) -> None:
        """Who asks for what a socket is not is told what it is."""
        given = InheritedSockets(
            [opened.open("tcp6").fileno(), opened.open("udp4").fileno()], ["a", "a"]
        )
        for listener, wanted in (
            (InheritedListener(name="a", domain="UNIX"), "UNIX"),
            (InheritedListener(name="a", domain="INET", type="stream"), "INET stream"),
        ):
            assert (
                f"what was inherited is INET6 stream, INET datagram; want {wanted}"
            ) == refusal(given, listener)

    def test_unfit_socket(self) -> None:
        """A socket that cannot be served is refused with what it is."""
        with socket.socket() as idle:
            reason = refusal(inherited(a=idle), InheritedListener(name="a"))
            assert (
                f"descriptor {idle.fileno()} is a stream socket that does not listen; "
                "want one that does"
            ) == reason

    def test_no_socket(self) -> None:
        """So is what is no socket at all."""
        with Path(__file__).open("rb") as file:
            reason = refusal(inherited(a=file), InheritedListener(index=0))
            assert f"descriptor {file.fileno()} is a file; want a socket" == reason

    def test_twice(self, opened: Sockets) -> None:
        """A socket belongs to one listener."""
        given = inherited(a=opened.open("tcp4"))
        by_name, by_index = InheritedListener(name="a"), InheritedListener(index=0)
        assert (
            f"descriptor {given.descriptors[0]} is taken by systemd:name=a; "
            "want each socket in one listener"
        ) == refusal(given, by_name, by_index)

    def test_same_listener_twice(self, opened: Sockets) -> None:
        """The same description given twice means the same socket twice."""
        given = inherited(a=opened.open("tcp4"))
        listener = InheritedListener(name="a")
        again = InheritedListener(name="a")
        assert "is taken by systemd:name=a" in refusal(given, listener, again)
        assert "is taken by systemd:name=a" in refusal(given, listener, listener)


def initial(folder: Path, **variables: object) -> Path:
    """A file as ``/proc/self/environ``."""
    path = folder / "environ"
    path.write_text("".join(f"{name}={value}\0" for name, value in variables.items()))
    return path


class TestOfProcess:
    """Where a process knows it from, by what stands in its environment."""

    @pytest.fixture(autouse=True)
    def _nothing_in_twisted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(endpoints._SystemdParser, "_sddaemon", ListenFDs([]))

    def test_names(self, tmp_path: Path) -> None:
        """Descriptors are numbered from 3 on, and have the names in their order."""
        path = initial(
            tmp_path,
            LISTEN_PID=os.getpid(),
            LISTEN_FDS=3,
            LISTEN_FDNAMES="a::b",
        )
        given = InheritedSockets.of_process(path)
        assert ([3, 4, 5], ["a", "", "b"]) == (
            list(given.descriptors),
            list(given.names),
        )

    def test_another_process(self, tmp_path: Path) -> None:
        """What is for another process is not ours, but it is known whose it is."""
        path = initial(tmp_path, LISTEN_PID=1, LISTEN_FDS=1, LISTEN_FDNAMES="a")
        given = InheritedSockets.of_process(path)
        assert (0, "1") == (len(given.descriptors), given.owner)

    @pytest.mark.parametrize("count", ["", "x", "0", "-1", "9" * 30, "9" * 5000, None])
    def test_no_number(self, tmp_path: Path, count: str | None) -> None:
        """A number of descriptors that cannot be is none."""
        variables = {} if count is None else {"LISTEN_FDS": count}
        path = initial(tmp_path, LISTEN_PID=os.getpid(), **variables)
        given = InheritedSockets.of_process(path)
        assert 0 == len(given.descriptors)
        assert refusal(given, InheritedListener(index=0)).startswith(NOBODY)

    def test_twisted_remembers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the environment cannot be read any more, Twisted has done so."""
        remembered = ListenFDs([8000, 8001], ("a", "a"))
        monkeypatch.setattr(endpoints._SystemdParser, "_sddaemon", remembered)
        given = InheritedSockets.of_process(tmp_path / "absent")
        assert InheritedSockets([8000, 8001], ("a", "a")) == given


# Prints the descriptors, their names and what they are, and which of them would be
# handed down to child processes.
_TELL = """
import json, os, pathlib, sys

def tell(*path):
    from echod.transport.sockets.inherited import InheritedSockets
    from echod.wire.inherited import InheritedListener
    it = InheritedSockets.of_process(*path)
    listeners = [InheritedListener(index=n) for n in range(len(it.descriptors))]
    forms = [(found.domain, found.type) for _, found in it.share_out(listeners)]
    handed_down = [d for d in it.descriptors if os.get_inheritable(d)]
    print(json.dumps([[*it.descriptors], [*it.names], forms, handed_down]), flush=True)
"""

# As far as it goes without a service: its options, and the reactor.
_TWISTD = """
from twisted.scripts import twistd
from twisted.internet import endpoints, reactor
sys.argv[1:] = ["-n", "--pidfile=", "--version"]
try:
    sys.stdout = open(os.devnull, "w")
    twistd.run()
except SystemExit:
    sys.stdout.close()
    sys.stdout = sys.__stdout__
"""


def told_by(
    program: str, given: Sequence[HasDescriptor], names: Sequence[str] | None
) -> object:
    """What a Python program prints that inherits sockets."""
    words = [sys.executable, "-c", f"{_TELL}\n{program}"]
    ended = run_activated(words, given, names)
    assert (0, "") == (ended.exit_code, ended.stderr)
    return json.loads(ended.stdout)


@pytest.mark.parametrize(
    ("program", "needs_names"),
    [
        pytest.param("tell()", False, id="echod first"),
        pytest.param(
            "from twisted.internet import endpoints\ntell()", False, id="Twisted first"
        ),
        pytest.param(f"{_TWISTD}\ntell()", False, id="twistd first"),
        pytest.param("os.environ.clear()\ntell()", False, id="no environment"),
        pytest.param("tell(pathlib.Path('/proc/0/environ'))", True, id="no /proc"),
        pytest.param(
            "import echod.transport.sockets.inherited\n"
            "child = os.fork()\n"
            "if child:\n    os._exit(os.waitpid(child, 0)[1])\n"
            "tell()",
            True,
            id="forked",
        ),
    ],
)
def test_process_knows_its_sockets(
    opened: Sockets,
    program: str,
    needs_names: bool,
) -> None:
    """
    Whoever has read the variables before and deleted them, all sockets are found; by
    a process that has become another one, only if they have names.
    """
    given = [opened.open(form) for form in ("tcp4", "udp6", "unix")]
    forms = [["INET", "stream"], ["INET6", "datagram"], ["UNIX", "stream"]]
    names = ["echo", "echo", "local"]
    assert [[3, 4, 5], names, forms, []] == told_by(program, given, names)
    if not needs_names:
        assert [[3, 4, 5], [""], forms, []] == told_by(program, given, None)


def test_children_get_nothing(opened: Sockets) -> None:
    """A program that is started later has the variables, perhaps, and no sockets."""
    child = "import os; print(*[os.path.exists(f'/proc/self/fd/{n}') for n in (3, 4)])"
    program = (
        "import subprocess\n"
        "from echod.transport.sockets.inherited import InheritedSockets\n"
        "InheritedSockets.of_process()\n"
        f"command = [sys.executable, '-S', '-c', {child!r}]\n"
        "print(json.dumps(subprocess.check_output(command, close_fds=False).decode()))"
    )
    given = [opened.open("tcp4"), opened.open("udp4")]
    assert "False False\n" == told_by(program, given, ["a", "b"])


def test_program_in_between(opened: Sockets) -> None:
    """Who is not told itself, because a program in between was, says so."""
    grandchild = (
        "from echod.transport.sockets.inherited import InheritedSockets\n"
        "from echod.wire.inherited import InheritedListener\n"
        "try:\n"
        "    InheritedSockets.of_process().matching(InheritedListener(name='a'))\n"
        "except Exception as error:\n"
        "    print(error)"
    )
    program = (
        "import subprocess\n"
        f"command = [sys.executable, '-c', {grandchild!r}]\n"
        "said = subprocess.check_output(command).decode()\n"
        "print(json.dumps([os.getpid(), said]))"
    )
    pid, said = cast("list[str]", told_by(program, [opened.open("tcp4")], ["a"]))
    assert f"systemd:name=a: the sockets are for process {pid}, not " in said
    assert 1 == said.count("\n")
