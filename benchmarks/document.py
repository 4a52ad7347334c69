"""The generated part of a document: what stands between two marks."""

from .errors import CannotMeasure

BEGIN = "<!-- benchmarks: begin; written by make bench -->\n"
END = "<!-- benchmarks: end -->\n"


def with_part(text: str, part: str, *, name: str) -> str:
    """
    A document with its generated part replaced.

    Args:
        text: the document.
        part: what is to stand between the marks.
        name: what to call the document if something is wrong with it.

    Raises:
        CannotMeasure: a mark is not there, or not once.
    """
    for mark in (BEGIN, END):
        if text.count(mark) != 1:
            raise CannotMeasure(
                f"{name} has {text.count(mark)} lines {mark.strip()!r}; want 1"
            )
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{part}\n{END}{after}"
