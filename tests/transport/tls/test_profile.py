"""Versions, ciphers and groups, as the other side meets them."""

import pytest
from OpenSSL import SSL

from echod.transport.tls import binding
from echod.transport.tls.profile import (
    PROFILES,
    MinimumVersion,
    ProfileName,
    make_context,
)

from ...support.authority import issue
from ...support.handshake import Shaken, heard, pump, shake

ISSUED = issue("localhost")

OLD = {"TLSv1": SSL.TLS1_VERSION, "TLSv1.1": SSL.TLS1_1_VERSION}


def server(
    profile: ProfileName = "intermediate", minimum_version: MinimumVersion = "1.2"
) -> SSL.Connection:
    context = make_context(SSL.TLS_SERVER_METHOD, profile, minimum_version)
    context.use_certificate(ISSUED.certificate)
    context.use_privatekey(ISSUED.key)
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


def client(
    version: int = 0, ciphers: str = "ALL:@SECLEVEL=0", groups: tuple[str, ...] = ()
) -> SSL.Connection:
    """One that speaks no more than what it is told to."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(version)
    context.set_cipher_list(ciphers.encode())
    if groups:
        assert binding.set_groups(context, groups)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    return connection


@pytest.mark.parametrize("version", OLD)
def test_old_versions_are_refused(version: str) -> None:
    """TLS 1.0 and 1.1 are answered with the alert for that."""
    assert "tlsv1 alert protocol version" == shake(client(OLD[version]), server()).alert


@pytest.mark.parametrize(
    ("profile", "minimum_version"),
    [("intermediate", "1.3"), ("modern", "1.2"), ("modern", "1.3")],
)
def test_only_1_3(profile: ProfileName, minimum_version: MinimumVersion) -> None:
    """The profile and the minimum version both raise what is spoken at least."""
    refused = shake(client(SSL.TLS1_2_VERSION), server(profile, minimum_version))
    assert "tlsv1 alert protocol version" == refused.alert
    done = shake(client(), server(profile, minimum_version))
    assert (True, "TLSv1.3") == (done.is_done, done.client.get_protocol_version_name())


@pytest.mark.parametrize("cipher", PROFILES["intermediate"].ciphers)
def test_each_cipher_exists(cipher: str) -> None:
    """Each cipher of the profile is taken by a server whose key is of its kind."""
    done = shake(client(SSL.TLS1_2_VERSION, cipher), server())
    assert ("ECDSA" in cipher) == done.is_done
    assert not done.is_done or cipher == done.client.get_cipher_name()


@pytest.mark.parametrize(
    "ciphers",
    ["kDHE", "kRSA", "ECDHE+AESCCM", "ECDHE+SHA1", "ECDHE+SHA256:-AESGCM", "aNULL"],
)
def test_other_ciphers_are_refused(ciphers: str) -> None:
    """No key exchange that costs or keeps no secret, no CBC and no CCM."""
    try:
        asking = client(SSL.TLS1_2_VERSION, f"{ciphers}:-CHACHA20:@SECLEVEL=0")
    except SSL.Error:
        pytest.skip("OpenSSL does not know them any more")
    assert not shake(asking, server()).is_done


def test_who_connects_chooses_the_cipher() -> None:
    """A client without fast AES gets ChaCha20, as the guideline has it."""
    for first, second in (("CHACHA20", "AESGCM"), ("AESGCM", "CHACHA20")):
        asking = client(SSL.TLS1_2_VERSION, f"ECDHE+{first}:ECDHE+{second}")
        chosen = shake(asking, server()).client.get_cipher_name() or ""
        assert (first == "CHACHA20") == ("CHACHA20" in chosen)


@pytest.mark.parametrize("group", PROFILES["intermediate"].groups)
def test_groups(group: str) -> None:
    """Each group of the profile is taken, where this OpenSSL has it."""
    try:
        asking = client(groups=(group,))
    except AssertionError:
        pytest.skip("OpenSSL does not know it yet")
    assert shake(asking, server()).is_done


@pytest.mark.parametrize("group", ["secp521r1", "X448", "ffdhe2048"])
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_other_groups_are_refused(group: str, version: int) -> None:
    """No group is taken that the guideline has not."""
    assert not shake(client(version, groups=(group,)), server()).is_done


def test_without_the_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyOpenSSL lets no groups be set, there is one of the guideline's."""
    monkeypatch.setattr(binding, "set_groups", lambda _context, _groups: False)
    context = server().get_context()
    monkeypatch.undo()
    assert shake(client(), accepting(context)).is_done
    assert not shake(client(groups=("secp384r1",)), accepting(context)).is_done


def test_without_the_newest_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenSSL does not know the first group, there are the others."""
    asked: list[tuple[str, ...]] = []

    def set_groups(_context: SSL.Context, groups: tuple[str, ...]) -> bool:
        asked.append(groups)
        return len(asked) == 2

    monkeypatch.setattr(binding, "set_groups", set_groups)
    server()
    assert [PROFILES["modern"].groups, PROFILES["modern"].groups[1:]] == asked


def test_renegotiation_is_refused() -> None:
    """A client that wants a new handshake in the old connection is told no."""
    done = shake(client(SSL.TLS1_2_VERSION), server())
    assert done.client.renegotiate()
    with pytest.raises(SSL.WantReadError):
        done.client.do_handshake()
    pump(done.client, done.server)
    assert heard(done.server) is None
    pump(done.server, done.client)
    with pytest.raises(SSL.Error, match="no renegotiation"):
        done.client.do_handshake()


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_sessions_are_not_resumed(version: int) -> None:
    """Who comes back begins anew, and so proves anew who it is."""
    serving = server()
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(version)
    session = None
    for _ in range(2):
        connection = SSL.Connection(context, None)
        connection.set_connect_state()
        if session is not None:
            connection.set_session(session)
        done = shake(connection, server_like(serving))
        assert done.is_done
        assert not is_resumed(done)
        heard(connection)  # What makes sessions of TLS 1.3 comes after the handshake.
        session = connection.get_session()
        assert session is not None


def test_resumption_would_show() -> None:
    """The test above notices sessions where a server has them."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(ISSUED.certificate)
    context.use_privatekey(ISSUED.key)
    context.set_session_id(b"test")
    asking = SSL.Context(SSL.TLS_CLIENT_METHOD)
    first = SSL.Connection(asking, None)
    first.set_connect_state()
    shake(first, accepting(context))
    heard(first)
    session = first.get_session()
    assert session is not None
    second = SSL.Connection(asking, None)
    second.set_connect_state()
    second.set_session(session)
    assert is_resumed(shake(second, accepting(context)))


def accepting(context: SSL.Context) -> SSL.Connection:
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return connection


def server_like(other: SSL.Connection) -> SSL.Connection:
    return accepting(other.get_context())


def is_resumed(shaken: Shaken) -> bool:
    library = SSL._lib  # type: ignore[attr-defined]
    return bool(library.SSL_session_reused(shaken.server._ssl))


def test_bytes_go_both_ways() -> None:
    """What comes out at one end is what went in at the other."""
    done = shake(client(), server())
    for one, other in ((done.client, done.server), (done.server, done.client)):
        one.send(b"abc")
        pump(one, other)
        assert b"abc" == other.recv(10)
