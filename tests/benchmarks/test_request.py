import click
import pytest

from benchmarks.__main__ import relevant
from benchmarks.cores import Cores, choose
from benchmarks.machine import number, processor
from benchmarks.measure import exemption
from benchmarks.request import Request
from benchmarks.scenario import QUICK, SCENARIOS
from benchmarks.subject import SUBJECTS

SUBJECT = {it.name: it for it in SUBJECTS}
SCENARIO = {it.name: it for it in SCENARIOS}


def request(**values: object) -> Request:
    return Request(**({"command": "", "repeats": 1, "seconds": 2.0} | values))  # type: ignore[arg-type]


def test_subjects_stand_inside_repeats_outside() -> None:
    """All subjects do a scenario one after the other; repeats are far apart."""
    asked = request(subjects=("c", "go"), scenarios=("tcp-64x1",), repeats=2)
    steps = [(it.repeat, it.subject.name) for it in asked.steps(asked.chosen())]
    assert [(1, "c"), (1, "go"), (2, "c"), (2, "go")] == steps


def test_everything_by_default() -> None:
    """Without a choice every subject does every scenario."""
    asked = request()
    assert len(SUBJECTS) * len(SCENARIOS) == len(asked.steps(asked.chosen()))


def test_quick_is_a_choice() -> None:
    """A quick run has the main subjects, and the scenarios that they take part in."""
    asked = request(quick=True)
    assert {it.name for it in asked.chosen()} == QUICK
    for step in asked.steps(asked.chosen()):
        assert step.subject.name in step.scenario.quick


def test_who_is_named_takes_part() -> None:
    """A scenario that is named is run even if a quick run would leave it out."""
    asked = request(quick=True, scenarios=("udp-64x1",))
    assert len(QUICK) == len(asked.steps(asked.chosen()))


def test_names_are_unique() -> None:
    """No two subjects, and no two scenarios, have one name."""
    assert (len(SUBJECT), len(SCENARIO)) == (len(SUBJECTS), len(SCENARIOS))


def test_forking_servers_are_spared() -> None:
    """Nobody is asked for 10,000 processes."""
    assert exemption(SUBJECT["socat"], SCENARIO["tcp-10000-open"]) is not None
    assert exemption(SUBJECT["socat"], SCENARIO["tcp-burst"]) is None
    assert exemption(SUBJECT["c"], SCENARIO["tcp-10000-open"]) is None


def test_flood_needs_one_process() -> None:
    """A flood of UDP tells nothing of a TCP server that is another process."""
    assert exemption(SUBJECT["c"], SCENARIO["flood-0"]) is not None
    assert exemption(SUBJECT["echod-fast"], SCENARIO["flood-0"]) is None


def test_absent_program_is_named() -> None:
    """A subject that is not installed says what is missing."""
    absent = SUBJECT["go"].__class__(
        name="x", title="X", tcp=("x",), programs=("no-such-program",)
    )
    assert "no no-such-program on PATH" == absent.absence()


def test_load_commands_are_filled_in() -> None:
    """Port and times stand where the load generator wants them."""
    words = SCENARIO["udp-1400x16"].command(7000, warm_up_s=0.5, seconds=2.0)
    assert ("udp_load", "7000", "16", "1400", "0.5", "2.0") == words


def test_cores_are_apart() -> None:
    """Server and load have a core each; the harness has one if there is a third."""
    assert Cores(server=1, load=3, harness=3) == choose({3, 1})
    assert Cores(server=0, load=1, harness=2) == choose({0, 1, 2, 3})


def test_one_core_is_too_few() -> None:
    """On a single core nothing is measured, and one line says why."""
    with pytest.raises(click.ClickException, match="1 core to run on; want 2"):
        choose({0})


def test_places_are_not_told() -> None:
    """The command in the report says what was measured, not where it was written."""
    words = ["--quick", "--output", "/tmp/x", "--document=y.md", "--repeats", "5"]  # noqa: S108
    assert ["--quick", "--repeats", "5"] == relevant(words)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("go version go1.19.8 linux/amd64", "1.19.8"),
        ("Ncat: Version 7.93 ( https://nmap.org/ncat )", "7.93"),
        ("v20.20.2", "20.20.2"),
        ("strange", "strange"),
    ],
)
def test_versions(said: str, expected: str) -> None:
    """A program's version is found in what it says of itself."""
    assert expected == number(said)


def test_processor_is_named() -> None:
    """The processor is named as /proc/cpuinfo does."""
    assert "A B 3" == processor("processor\t: 0\nmodel name\t: A B 3\n")
    assert processor("")
