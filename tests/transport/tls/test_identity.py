"""Whom the other side must be."""

import pytest
from cryptography import x509

from echod.errors import BadValue, ConfigError
from echod.transport.tls.identity import anybody, is_host, is_one_of, server_name

from ...support.authority import issue


def refusal_of_host(host: str, *names: str) -> str | None:
    return is_host(host)(issue(*names).certificate)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example", "a.example"),
        ("A.Example.", "a.example"),
        ("a.b.example", "*.b.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "0:0::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("localhost", "localhost"),
        ("a_b.example", "a_b.example"),
    ],
)
def test_host(host: str, name: str) -> None:
    """A certificate is for a host by its name, a wildcard, or its address."""
    assert refusal_of_host(host, name) is None


@pytest.mark.parametrize(
    ("host", "names", "line"),
    [
        ("c", ("a", "b"), "certificate is for a, b; want c"),
        ("a.example", (), "certificate is for no name; want a.example"),
        ("a.b.c", ("*.c",), "certificate is for *.c; want a.b.c"),
        ("10.0.0.1", ("10.0.0.2",), "certificate is for 10.0.0.2; want 10.0.0.1"),
        ("a", ("a@a",), "certificate is for a@a; want a"),
    ],
)
def test_other_host(host: str, names: tuple[str, ...], line: str) -> None:
    """A certificate for another is refused in a line that names both."""
    assert line == refusal_of_host(host, *names)


def test_address_is_no_name() -> None:
    """A host name that reads like an address does not prove it."""
    name = x509.SubjectAlternativeName([x509.DNSName("10.0.0.1")])
    certificate = issue(extension=name).certificate
    assert is_host("10.0.0.1")(certificate) is not None


@pytest.mark.parametrize("host", ["", "a b", "-\u2028-", "\u00fc" * 64])
def test_impossible_host(host: str) -> None:
    """A name that no host can have is a wrong value."""
    with pytest.raises(BadValue, match="want a host name or an address"):
        is_host(host)


def test_server_name() -> None:
    """The name that is asked for has no dot at its end and no zone."""
    assert "a.example" == server_name("a.example.")
    assert "fe80::1" == server_name("fe80::1%lo")
    assert "xn--bcher-kva.example" == server_name("Bücher.example")


@pytest.mark.parametrize(
    ("accepted", "name"),
    [
        ("a.example", "a.example"),
        ("A.EXAMPLE", "a.example"),
        ("*.b.example", "*.b.example"),
        ("Al@b.example", "Al@B.Example"),
        ("spiffe://b.example/Al", "spiffe://b.example/Al"),
    ],
)
def test_client(accepted: str, name: str) -> None:
    """A client is known by a host name, an e-mail address or a URI."""
    judge = is_one_of(("another.example", accepted))
    assert judge(issue("z.example", name).certificate) is None


@pytest.mark.parametrize(
    ("accepted", "name"),
    [
        ("a.b.example", "*.b.example"),
        ("*.b.example", "a.b.example"),
        ("al@b.example", "Al@b.example"),
        ("spiffe://b.example/al", "spiffe://b.example/Al"),
        ("b.example", "al@b.example"),
        ("a.example", "b.example"),
    ],
)
def test_other_client(accepted: str, name: str) -> None:
    """No wildcard stands for a client, and what has a case keeps it."""
    judge = is_one_of((accepted,))
    assert f"certificate is for {name}; want {accepted}" == judge(
        issue(name).certificate
    )


def test_kinds_do_not_mix() -> None:
    """A name of one kind does not prove one of another that reads the same."""
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("a.example")])
    assert is_one_of(("a.example",))(issue(extension=uri).certificate) is not None


def test_nobody_in_particular() -> None:
    """Where no names are given, who has a good certificate is welcome."""
    certificate = issue().certificate
    assert is_one_of(()) is anybody
    assert anybody(certificate) is None


@pytest.mark.parametrize(
    "name", ["", " a", "a b", "a\n", "ü.example", "10.0.0.1", "::1"]
)
def test_impossible_client(name: str) -> None:
    """What is no name of a client cannot be accepted."""
    with pytest.raises(ConfigError, match=r"client_names has .*; want a host name"):
        is_one_of((name,))
