import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import _parse, quoteStringArgument

from echod.errors import BadValue
from echod.wire.description import quote, split

#: Texts in which the special characters are as likely as any other. Twisted takes
#: names in ASCII only.
TEXTS = st.text(st.sampled_from("\\:=ab1") | st.characters(codec="ascii"))


@given(TEXTS)
def test_splits_as_twisted_does(text: str) -> None:
    """A description has the arguments that Twisted's own parser finds in it."""
    try:
        expected = _parse(text)
    except RuntimeError:  # Twisted stumbles over an escape at the very end.
        with pytest.raises(BadValue, match="after the last backslash"):
            split(text)
    else:
        assert expected == split(text)


@given(TEXTS)
def test_quoted_argument_comes_back(text: str) -> None:
    """An argument that was quoted is split off as it was, also after a name."""
    assert (["x", text], {"name": text}) == split(f"x:{quote(text)}:name={quote(text)}")


@given(TEXTS)
def test_quoting_is_what_twisted_understands(text: str) -> None:
    """Twisted reads a quoted argument as what it was before."""
    assert _parse(f"x:{quote(text)}") == _parse(
        f"x:{quoteStringArgument(text).replace('=', chr(92) + '=')}"
    )
