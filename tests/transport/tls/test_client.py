"""Whom a client believes, and what it says of others."""

from pathlib import Path

import pytest
from OpenSSL import SSL

from echod.errors import EX_PROTOCOL, BadValue, ConfigError
from echod.transport.tls.client import ClientContext, client_connection
from echod.transport.tls.context import ServerContexts, TlsTerms
from echod.transport.tls.verification import CertificateRefused
from echod.wire.certificates import KeyPair

from ...support.authority import DAY, NOW, Authority, Issued, issue
from ...support.handshake import Shaken, shake

AUTHORITY = Authority()
SERVER = AUTHORITY.issue("a.example", "*.b.example", "127.0.0.1", "::1")

both_versions = pytest.mark.parametrize(
    "version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION]
)


def server(issued: Issued = SERVER, version: int = 0) -> SSL.Connection:
    """A server that checks nothing, not even its own certificate."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(version)
    context.use_certificate(issued.certificate)
    if issued.chain_pem and issued.issuer is not None:
        context.add_extra_chain_cert(issued.issuer.certificate)
    context.use_privatekey(issued.key)
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


@pytest.fixture
def ca(tmp_path: Path) -> str:
    return AUTHORITY.write(tmp_path)


@both_versions
@pytest.mark.parametrize("host", ["a.example", "x.b.example", "127.0.0.1", "::1"])
def test_right_host(host: str, version: int, ca: str) -> None:
    """A server with the name or the address that was asked for is believed."""
    done = shake(client_connection(host, ca=ca), server(version=version))
    assert done.is_done


@both_versions
def test_wrong_host(version: int, ca: str) -> None:
    """Another server is told by one line and by an alert, before a byte is sent."""
    done = shake(client_connection("c.example", ca=ca), server(version=version))
    assert isinstance(done.client_error, CertificateRefused)
    line = "certificate is for a.example, *.b.example, 127.0.0.1, ::1; want c.example"
    assert line == str(done.client_error)
    assert EX_PROTOCOL == done.client_error.exit_code
    assert "certificate verify failed" == done.client_error.args[0][-1][-1]
    assert "alert bad certificate" in str(done.server_error)


@both_versions
@pytest.mark.parametrize(
    ("issued", "reason"),
    [
        (
            Authority("Other").issue("a.example"),
            "no authority that is trusted vouches for it",
        ),
        (
            issue("a.example"),
            "it signs itself, and is not one of the trusted",
        ),
        (AUTHORITY.issue("a.example", end=NOW - DAY / 2), "it has expired"),
    ],
)
def test_wrong_chain(issued: Issued, reason: str, version: int, ca: str) -> None:
    """A server that nobody vouches for is told."""
    done = shake(client_connection("a.example", ca=ca), server(issued, version))
    assert f"certificate is refused: {reason}" == str(done.client_error)


def test_wrong_intermediate(ca: str) -> None:
    """What is wrong in the middle of a chain is told with its place."""
    middle = issue(
        common_name="Old", is_authority=True, by=AUTHORITY.root, end=NOW - DAY / 2
    )
    done = shake(
        client_connection("a.example", ca=ca), server(issue("a.example", by=middle))
    )
    line = "certificate, number 1 of its chain, is refused: it has expired"
    assert line == str(done.client_error)


def test_no_authority(ca: str) -> None:
    """Who has a certificate may not sign others with it."""
    middle = issue("b.example", by=AUTHORITY.root)
    done = shake(
        client_connection("a.example", ca=ca), server(issue("a.example", by=middle))
    )
    assert isinstance(done.client_error, CertificateRefused)
    assert "certificate, number 1 of its chain, is refused: " in str(done.client_error)


def test_server_itself_is_trusted(tmp_path: Path) -> None:
    """The certificate that echod certificate writes vouches for itself."""
    alone = issue("a.example")
    _, path = alone.write(tmp_path, "alone")
    assert shake(client_connection("a.example", ca=path), server(alone)).is_done
    other = issue("a.example")
    assert not shake(client_connection("a.example", ca=path), server(other)).is_done
    done = shake(client_connection("b.example", ca=path), server(alone))
    assert "certificate is for a.example; want b.example" == str(done.client_error)


def test_system(ca: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an authority of one's own, the system's vouch."""
    assert not shake(client_connection("a.example"), server()).is_done
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    assert shake(client_connection("a.example"), server()).is_done


def test_own_authority_stands_alone(
    tmp_path: Path, ca: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one, the system's do not count."""
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    other = Authority("Other").write(tmp_path, "other.crt")
    assert not shake(client_connection("a.example", ca=other), server()).is_done


def test_insecure() -> None:
    """Who asks for it believes anybody."""
    connection = client_connection("c.example", insecure=True)
    assert shake(connection, server(issue(end=NOW - DAY / 2))).is_done


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example", b"a.example"),
        ("a.example.", b"a.example"),
        ("bücher.example", b"xn--bcher-kva.example"),
        ("127.0.0.1", None),
        ("::1", None),
        ("fe80::1%lo", None),
    ],
)
def test_name_that_is_asked_for(host: str, name: bytes | None) -> None:
    """A server learns which of its names is meant; an address is none."""
    done = shake(client_connection(host, insecure=True), server())
    assert name == done.server.get_servername()


def test_impossible_host() -> None:
    """A name that no server can have is a wrong value."""
    with pytest.raises(BadValue, match="host is a b; want a host name"):
        client_connection("a b")


def test_old_server(ca: str) -> None:
    """A server that speaks TLS 1.1 at most is not spoken to."""
    done: Shaken = shake(
        client_connection("a.example", ca=ca), server(version=SSL.TLS1_1_VERSION)
    )
    assert not done.is_done


def test_showing_a_certificate(tmp_path: Path, ca: str) -> None:
    """A server that asks for a certificate gets it, with its chain."""
    key, certificate = SERVER.write(tmp_path, "server")
    serving = ServerContexts(
        KeyPair(private_key=key, certificate=certificate),
        TlsTerms(client_certificates="required", client_ca=ca, client_names=("me",)),
        lambda: NOW,
    )
    for name, is_let_in in (("me", True), ("you", False)):
        key, certificate = AUTHORITY.issue(name).write(tmp_path, "client")
        own = KeyPair(private_key=key, certificate=certificate)
        connection = client_connection("a.example", ca=ca, key_pair=own)
        assert is_let_in == shake(connection, serving.connection()).is_done


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "cannot be read: no such file or directory; want a PEM file"),
        (b"", "has no certificate in it; want those of authorities"),
    ],
)
def test_bad_authority(data: bytes | None, reason: str, tmp_path: Path) -> None:
    """A file without authorities is told, and nobody is believed instead."""
    path = tmp_path / "ca"
    if data is not None:
        path.write_bytes(data)
    for insecure in (False, True):
        with pytest.raises(ConfigError) as caught:
            ClientContext(ca=str(path), insecure=insecure)
        assert f"{path} {reason}" == str(caught.value)


def test_bad_pair(tmp_path: Path) -> None:
    """A pair that does not belong together is told."""
    key, _ = SERVER.write(tmp_path, "one")
    _, certificate = AUTHORITY.issue("me").write(tmp_path, "other")
    own = KeyPair(private_key=key, certificate=certificate)
    with pytest.raises(ConfigError, match="is not for the key in"):
        ClientContext(key_pair=own)


def test_many_connections(ca: str) -> None:
    """One context serves connections to several hosts, each judged for itself."""
    context = ClientContext(ca=ca)
    hosts = ["a.example", "c.example", "127.0.0.1", "x.b.example"]
    connections = [context.connection(it) for it in hosts]
    done = [shake(it, server()).is_done for it in reversed(connections)]
    assert [True, True, False, True] == done


def test_plain_socket(ca: str) -> None:
    """The other side may not speak TLS at all."""
    connection = client_connection("a.example", ca=ca)
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    connection.bio_write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(SSL.Error) as caught:
        connection.do_handshake()
    assert not isinstance(caught.value, CertificateRefused)
