"""``python -m benchmarks``: choose, measure, write."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from .document import with_part
from .output import read, write
from .request import Request
from .run import run
from .scenario import SCENARIOS
from .subject import SUBJECTS
from .summary import Summaries
from .targets import judge

_WHERE_TO = ("--output", "--document")


@click.command(context_settings={"show_default": True})
@click.option("--quick", is_flag=True, help="The main ones, once, for 1 s each.")
@click.option(
    "subject_names",
    "--subject",
    multiple=True,
    type=click.Choice([it.name for it in SUBJECTS]),
    help="Only this one; may be given several times.",
)
@click.option(
    "scenario_names",
    "--scenario",
    multiple=True,
    type=click.Choice([it.name for it in SCENARIOS]),
    help="Only this one; may be given several times.",
)
@click.option("--repeats", type=click.IntRange(1), help="[default: 3, quick 1]")
@click.option(
    "--seconds",
    type=click.FloatRange(0.1),
    help="How long each load counts. [default: 2, quick 1]",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/bench"),
    help="The folder for results.json, report.md and chart.svg, and for what is built.",
)
@click.option(
    "--document",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Markdown file that gets the report between its two marks, and the chart "
    "and the JSON beside it, under its own name.",
)
@click.option(
    "source",
    "--from",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measure nothing: write the report of this results.json again.",
)
def main(  # noqa: PLR0913 - one argument an option
    *,
    quick: bool,
    subject_names: tuple[str, ...],
    scenario_names: tuple[str, ...],
    repeats: int | None,
    seconds: float | None,
    output: Path,
    document: Path | None,
    source: Path | None,
) -> None:
    """
    Measure echod beside other echo servers, one after the other on this machine,
    and tell what each costs. benchmarks/README.md has the method.
    """
    signal.signal(signal.SIGTERM, _end)
    if document is not None:
        # Better now than after half an hour.
        with_part(document.read_text(), "", name=str(document))
    request = Request(
        command=" ".join(["python -m benchmarks", *relevant(sys.argv[1:])]),
        quick=quick,
        subjects=subject_names,
        scenarios=scenario_names,
        repeats=repeats or (1 if quick else 3),
        seconds=seconds or (1.0 if quick else 2.0),
    )
    result = run(request, output, _tell) if source is None else read(source)
    for path in write(result, output, document):
        _tell(f"wrote {path}")
    words = {True: "met", False: "NOT MET", None: "not measured"}
    for it in judge(Summaries(result.samples)):
        click.echo(f"{words[it.is_met]:>12}  {it.what}: {it.measured} ({it.wanted})")


def relevant(arguments: list[str]) -> list[str]:
    """The arguments without where to write: that is this machine's business."""
    kept = []
    words = iter(arguments)
    for word in words:
        option, separator, _ = word.partition("=")
        if option not in _WHERE_TO:
            kept.append(word)
        elif not separator:
            next(words, None)
    return kept


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    # As for Ctrl-C: what was started is ended on the way out.
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
