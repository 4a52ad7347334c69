"""The names in certificates, as text."""

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from echod.transport.tls.names import Names, names

from ...support.authority import issue


def test_each_kind() -> None:
    """Each kind of name is found, and host names are in lower case."""
    issued = issue("A.example", "::1", "Al@B.example", "spiffe://c/D", "*.b.example")
    found = Names(
        hosts=("a.example", "*.b.example"),
        addresses=("::1",),
        emails=("Al@B.example",),
        uris=("spiffe://c/D",),
    )
    assert found == names(issued.certificate)
    text = "a.example, *.b.example, ::1, Al@B.example, spiffe://c/D"
    assert text == str(found)


def test_common_name_does_not_count() -> None:
    """A certificate with nothing but a common name is for nobody."""
    found = names(issue(common_name="a.example").certificate)
    assert (Names(), "no name") == (found, str(found))


def test_many_names() -> None:
    """A line names five, and says how many there are beside."""
    found = Names(hosts=tuple("abcdefg"))
    assert "a, b, c, d, e and 2 more" == str(found)


def test_names_are_safe_to_show() -> None:
    """What a peer put into a name cannot write into the log."""
    assert r"'a\nb'" == str(Names(hosts=("a\nb",)))


def test_nonsense() -> None:
    """Extensions that cannot be parsed are a ValueError."""
    broken = x509.UnrecognizedExtension(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"nonsense"
    )
    with pytest.raises(ValueError, match=r"."):
        names(issue(extension=broken).certificate)
