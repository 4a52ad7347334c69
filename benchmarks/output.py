"""The files that a run leaves, and the reading of one of them."""

from pathlib import Path

from .chart import chart
from .document import with_part
from .errors import CannotMeasure
from .report import report
from .result import Result, from_json, to_json
from .summary import Summaries


def read(source: Path) -> Result:
    """
    The result in a ``results.json``.

    Raises:
        CannotMeasure: it is none.
    """
    try:
        return from_json(source.read_text())
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise CannotMeasure(f"{source} is no results.json: {error}") from error


def write(result: Result, folder: Path, document: Path | None) -> list[Path]:
    """
    Write a run's files.

    Args:
        result: the run.
        folder: gets results.json, report.md and chart.svg; made if need be.
        document: gets the report between its marks, and the other two beside it.

    Returns:
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text, data = report(result), to_json(result)
    picture = chart(Summaries(result.samples))
    files = {
        folder / "results.json": data,
        folder / "report.md": text,
        folder / "chart.svg": picture,
    }
    if document is not None:
        svg, raw = document.with_suffix(".svg"), document.with_suffix(".json")
        shown = f"![CPU per message beside the C reference's]({svg.name})\n"
        source = f"Every single measurement: [{raw.name}]({raw.name}).\n"
        part = f"{shown}\n{text}\n{source}"
        files[document] = with_part(document.read_text(), part, name=str(document))
        files |= {svg: picture, raw: data}
    for path, content in files.items():
        path.write_text(content)
    return list(files)
