import xml.etree.ElementTree as ET
from pathlib import Path

import click
import pytest

from benchmarks.chart import chart
from benchmarks.document import BEGIN, END, with_part
from benchmarks.output import read, write
from benchmarks.report import report
from benchmarks.result import from_json, to_json
from benchmarks.summary import Summaries

from .samples import result, sample

RUN = result(
    sample("tcp-64x50", "c", cpu_s=5.0),
    sample("tcp-64x50", "echod-fast", cpu_s=6.0),
    sample("tcp-64x50", "socat", failed="it hangs"),
    sample("udp-64x16", "c", lost=10_000),
    sample("idle-memory", "twisted", messages=0, idle_bytes=1045.0),
    sample("flood-0", "twisted", flooded=300_000, flood_s=1.0),
)
TEXT = report(RUN)


def rows(heading: str) -> list[str]:
    """The rows of the table below a heading."""
    part = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [line for line in part.splitlines() if line.startswith("| ")][1:]


def test_row_of_a_load() -> None:
    """A row has rate, MB/s, latencies, processor time, ratio and peak memory."""
    assert (
        "| echod, fast | 1,000,000 | 64.0 | 10.0 | 100 | 1,000 "
        "| 6.00 | 6.00, 6.00 | 1.20 | 1.00 | 0% |"
    ) == rows("TCP, 50 connections x 64 B")[1]


def test_failure_is_a_dash_and_a_reason() -> None:
    """Who failed stands in the table without figures, and below it with the reason."""
    assert f"| socat |{' - |' * 10}" == rows("TCP, 50 connections x 64 B")[2]
    assert "\n* socat: it hangs\n" in TEXT


def test_loss_is_told_with_its_share() -> None:
    """Datagrams have a column for those that were lost."""
    assert "| 10,000 (0.99%) |" in rows("UDP, 64 B, window of 16")[0]


def test_memory_and_flood_have_columns_of_their_own() -> None:
    """An idle connection is told in KiB, a flood with its rate."""
    heading = "Memory of an idle connection, of 10,000"
    assert ["| Twisted's example | 1.02 | 1.00 |"] == rows(heading)
    heading = "TCP 64 B round trip under a UDP flood of 0 B"
    assert ["| Twisted's example | 10.0 | 100 | 1,000 | 300,000 | 1.00 |"] == rows(
        heading
    )


def test_overview_has_the_ratios() -> None:
    """The overview has a row a subject and a column a main scenario."""
    heading = "Processor time for a message, in units of the C reference's"
    assert "| echod, fast | 1.20 | - |" == rows(heading)[1]


def test_circumstances_are_told() -> None:
    """Machine, versions, settings, and who is left out and why, are in the report."""
    for words in (
        "* Pentium, 2 cores, Linux 6.1\n",
        "* echod 1.0, Python 3.11.2\n",
        "* net.core.somaxconn 4096\n",
        "* left out: Go (no go on PATH)\n",
    ):
        assert words in TEXT


def test_empty_run_has_a_report() -> None:
    """A run in which nothing could be measured is told all the same."""
    assert "not measured" in report(result())
    ET.fromstring(chart(Summaries([])))  # noqa: S314 - our own text


def test_chart_has_a_bar_for_each_ratio() -> None:
    """The chart is XML with a bar for everybody who has a ratio."""
    svg = ET.fromstring(chart(Summaries(RUN.samples)))  # noqa: S314 - our own text
    assert 3 == len(svg.findall("{http://www.w3.org/2000/svg}rect"))
    texts = [it.text for it in svg.findall("{http://www.w3.org/2000/svg}text")]
    assert "1.20" in texts
    assert "socat" not in texts


def test_json_is_the_whole_run() -> None:
    """What was written as JSON reads back as the same run."""
    assert RUN == from_json(to_json(RUN))


def test_part_of_a_document_is_replaced() -> None:
    """What stands around the marks stays as it is; writing twice changes nothing."""
    text = f"# Mine\n\n{BEGIN}old\n{END}\nthe end\n"
    expected = f"# Mine\n\n{BEGIN}\nnew\n\n{END}\nthe end\n"
    assert expected == with_part(text, "new\n", name="it.md")
    assert expected == with_part(expected, "new\n", name="it.md")


def test_document_without_marks_is_refused() -> None:
    """A document that has no place for the report is named, and left alone."""
    with pytest.raises(click.ClickException, match=r"^it\.md has 0 lines"):
        with_part("# Mine\n", "new\n", name="it.md")


def test_files_of_a_run(tmp_path: Path) -> None:
    """A run leaves three files in its folder, and three at the document."""
    document = tmp_path / "speed.md"
    document.write_text(BEGIN + END)
    folder = tmp_path / "out"
    written = write(RUN, folder, document)
    assert written == [
        *(folder / name for name in ("results.json", "report.md", "chart.svg")),
        *(tmp_path / name for name in ("speed.md", "speed.svg", "speed.json")),
    ]
    assert TEXT in document.read_text()
    assert "](speed.svg)" in document.read_text()
    assert RUN == read(folder / "results.json")


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    """Another JSON file is refused in one line that names it."""
    other = tmp_path / "other.json"
    other.write_text("[]")
    with pytest.raises(click.ClickException, match=r"other\.json is no results\.json"):
        read(other)
