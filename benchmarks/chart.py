"""The chart: processor time for a message beside the C reference's, as SVG."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .report import MAIN
from .scenario import SCENARIOS
from .subject import OURS, SUBJECTS
from .summary import Summaries

_TITLES = {it.name: it.title for it in SUBJECTS}

_WIDTH = 760
_LEFT = 150
_RIGHT = 60
_ROW = 18
_GAP = 34
_TOP = 44

#: A bar that is longer ends here, with its figure beside it.
_MOST = 6.0

# Read on white and on black: the page says which it is.
_STYLE = """
text { font: 12px sans-serif; fill: #24292f }
.title { font-weight: bold }
.bar { fill: #8c959f }
.ours { fill: #0969da }
.one { stroke: #24292f; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .bar { fill: #6e7681 }
  .ours { fill: #4493f8 }
  .one { stroke: #e6edf3 }
}
"""


def chart(run: Summaries) -> str:
    """
    An SVG document: for each of the main scenarios a bar a subject.

    Returns:
        Text; a line where the reference is, at 1. Who failed has no bar.
    """
    groups = [group for group in _groups(run) if group[1]]
    rows = sum(len(bars) for _, bars in groups)
    height = _TOP + rows * _ROW + len(groups) * _GAP
    svg = Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
    )
    SubElement(svg, "style").text = _STYLE
    _text(
        svg, 8, 20, "Server CPU per message, C reference = 1; less is better", "title"
    )
    y = _TOP
    for title, bars in groups:
        _text(svg, 8, y + 12, title, "title")
        y += _ROW
        _line(svg, y, y + len(bars) * _ROW)
        for subject, ratio in bars:
            _bar(svg, y, subject, ratio)
            y += _ROW
        y += _GAP - _ROW
    indent(svg)
    return tostring(svg, encoding="unicode") + "\n"


def _groups(run: Summaries) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for scenario in SCENARIOS:
        if scenario.name in MAIN:
            ratios = (
                (subject, run.cpu_ratio(scenario.name, subject))
                for subject in run.subjects(scenario.name)
            )
            yield scenario.title, [(it, x) for it, x in ratios if x is not None]


def _x(ratio: float) -> float:
    return _LEFT + min(ratio, _MOST) / _MOST * (_WIDTH - _LEFT - _RIGHT)


def _bar(svg: Element, y: int, subject: str, ratio: float) -> None:
    _text(svg, 8, y + 13, _TITLES[subject])
    SubElement(
        svg,
        "rect",
        {"class": "ours" if subject == OURS else "bar"},
        x=str(_LEFT),
        y=str(y + 3),
        width=f"{_x(ratio) - _LEFT:.1f}",
        height=str(_ROW - 5),
    )
    _text(svg, _x(ratio) + 6, y + 13, f"{ratio:.2f}")


def _line(svg: Element, top: int, bottom: int) -> None:
    x = f"{_x(1):.1f}"
    SubElement(svg, "line", {"class": "one"}, x1=x, x2=x, y1=str(top), y2=str(bottom))


def _text(svg: Element, x: float, y: float, text: str, kind: str = "") -> None:
    attributes = {"class": kind} if kind else {}
    SubElement(svg, "text", attributes, x=f"{x:.1f}", y=f"{y:.1f}").text = text
