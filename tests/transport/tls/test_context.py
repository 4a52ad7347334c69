"""What the connections of a listener show, whom they accept, and changes of both."""

import gc
import os
import weakref
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from OpenSSL import SSL
from twisted.logger import LogEvent

from echod.errors import ConfigError
from echod.transport.tls import binding
from echod.transport.tls.context import ServerContexts, TlsTerms
from echod.transport.tls.profile import make_context
from echod.transport.tls.verification import CertificateRefused
from echod.wire.certificates import Certificates, Folder, KeyPair

from ...support.authority import DAY, NOW, Authority, Issued, issue, spoilt
from ...support.handshake import Shaken, heard, pump, shake

AUTHORITY = Authority()
A = AUTHORITY.issue("a.example", "www.a.example")
B = AUTHORITY.issue("b.example")
WILD = AUTHORITY.issue("*.wild.example")

VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
both_versions = pytest.mark.parametrize("version", VERSIONS)


def client(
    name: str = "", *, shows: Issued | None = None, version: str = "1.3"
) -> SSL.Connection:
    """A client that believes anybody."""
    context = make_context(SSL.TLS_CLIENT_METHOD, "intermediate")
    context.set_max_proto_version(VERSIONS[version])
    if shows is not None:
        context.use_certificate(shows.certificate)
        context.use_privatekey(shows.key)
        if shows.chain_pem and shows.issuer is not None:
            context.add_extra_chain_cert(shows.issuer.certificate)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    if name:
        connection.set_tlsext_host_name(name.encode())
    return connection


def contexts(
    certificates: Certificates,
    now: Callable[[], datetime] = lambda: NOW,
    **terms: Any,
) -> ServerContexts:
    return ServerContexts(certificates, TlsTerms(**terms), now)


def pair(folder: Path, issued: Issued = A) -> KeyPair:
    """The two files, written."""
    key, certificate = issued.write(folder, "server")
    return KeyPair(private_key=key, certificate=certificate)


def filled(folder: Path, **files: Issued) -> Folder:
    """A folder with a file for each."""
    folder.mkdir(exist_ok=True)
    for name, issued in files.items():
        (folder / f"{name}.pem").write_bytes(issued.all_pem)
    return Folder(str(folder))


def shown(serving: ServerContexts, name: str = "", version: str = "1.3") -> str:
    """The first name of the certificate that a client sees who asks for ``name``."""
    done = shake(client(name, version=version), serving.connection())
    assert done.is_done
    return done.shown


class TestNames:
    """The certificate for who asks by a name."""

    @both_versions
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("", "a.example"),
            ("a.example", "a.example"),
            ("www.a.example", "a.example"),
            ("b.example", "b.example"),
            ("B.Example", "b.example"),
            ("b.example.", "b.example"),
            ("x.wild.example", "*.wild.example"),
            ("wild.example", "a.example"),
            ("x.y.wild.example", "a.example"),
            ("unknown.example", "a.example"),
            ("localhost", "a.example"),
            ("\u00e4", "a.example"),
        ],
    )
    def test_folder(
        self, asked: str, expected: str, version: str, tmp_path: Path
    ) -> None:
        """Each name gets its own, a wildcard's one label; all others the first."""
        serving = contexts(filled(tmp_path / "f", a=A, b=B, wild=WILD))
        assert expected == shown(serving, asked, version)

    def test_pair(self, tmp_path: Path) -> None:
        """A pair of files is for every name."""
        serving = contexts(pair(tmp_path))
        assert ["a.example"] * 3 == [
            shown(serving, it) for it in ("", "a", "b.example")
        ]

    def test_chain(self, tmp_path: Path) -> None:
        """A client gets the chain that was given, and nothing of the authorities."""
        ca = AUTHORITY.write(tmp_path)
        serving = contexts(pair(tmp_path), client_certificates="optional", client_ca=ca)
        done = shake(client(), serving.connection())
        chain = done.client.get_peer_cert_chain(as_cryptography=True)
        assert [A.certificate, AUTHORITY.intermediate.certificate] == chain

    def test_asked_twice(self, tmp_path: Path) -> None:
        """A client that must begin anew is asked for its name again, and served."""
        serving = contexts(filled(tmp_path / "f", a=A, b=B))
        # It offers a share of a group that is not known, and knows another.
        asking = client("b.example")
        groups = ("secp521r1", "secp384r1")
        assert binding.set_groups(asking.get_context(), groups)
        again = SSL.Connection(asking.get_context(), None)
        again.set_connect_state()
        again.set_tlsext_host_name(b"b.example")
        server = serving.connection()
        with pytest.raises(SSL.WantReadError):
            again.do_handshake()
        pump(again, server)
        with pytest.raises(SSL.WantReadError):
            server.do_handshake()
        # Between the two, all else that held the contexts lets them go.
        filled(tmp_path / "f", a=B, b=A)
        serving.refresh()
        gc.collect()
        done = shake(again, server)
        assert (True, "b.example") == (done.is_done, done.shown)
        assert "secp384r1" == done.client.get_group_name()


class TestClientCertificates:
    """Whom the listener accepts."""

    @pytest.fixture
    def terms(self, tmp_path: Path) -> dict[str, Any]:
        """What the tests of certificates have in common."""
        return {
            "client_certificates": "required",
            "client_ca": AUTHORITY.write(tmp_path),
            "client_names": ("al@example.org", "client.example"),
        }

    @both_versions
    @pytest.mark.parametrize("mode", ["required", "optional"])
    @pytest.mark.parametrize("asked", ["", "b.example"])
    @pytest.mark.parametrize(
        "names", [("client.example",), ("other.example", "al@EXAMPLE.org")]
    )
    def test_good(  # noqa: PLR0913, PLR0917 - each with each
        self,
        names: tuple[str, ...],
        asked: str,
        mode: str,
        version: str,
        terms: dict[str, Any],
        tmp_path: Path,
    ) -> None:
        """A client with a good certificate of one of the names is let in."""
        terms["client_certificates"] = mode
        serving = contexts(filled(tmp_path / "f", a=A, b=B), **terms)
        good = AUTHORITY.issue(*names)
        done = shake(client(asked, shows=good, version=version), serving.connection())
        assert done.is_done
        assert heard(done.client) is None
        done.client.send(b"abc")
        pump(done.client, done.server)
        assert b"abc" == done.server.recv(3)

    BAD = {
        "other": (
            Authority("Other").issue("client.example"),
            "is refused: no authority that is trusted vouches for it",
            "unknown ca",
        ),
        "self-signed": (
            issue("client.example"),
            "is refused: it signs itself, and is not one of the trusted",
            "unknown ca",
        ),
        "expired": (
            AUTHORITY.issue("client.example", begin=NOW - 2 * DAY, end=NOW - DAY),
            "is refused: it has expired",
            "certificate expired",
        ),
        "early": (
            AUTHORITY.issue("client.example", begin=NOW + DAY),
            "is refused: it is not valid yet",
            "bad certificate",
        ),
        "server's": (
            AUTHORITY.issue(
                "client.example", purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)
            ),
            "is refused: it is not for this purpose",
            "unsupported certificate",
        ),
        "spoilt": (
            spoilt(AUTHORITY.issue("client.example")),
            "is refused: its signature is wrong",
            "decrypt error",
        ),
        "name": (
            AUTHORITY.issue("other.example"),
            "is for other.example; want al@example.org, client.example",
            "bad certificate",
        ),
        "nameless": (
            AUTHORITY.issue(common_name="client.example"),
            "is for no name; want al@example.org, client.example",
            "bad certificate",
        ),
    }

    @both_versions
    @pytest.mark.parametrize("mode", ["required", "optional"])
    @pytest.mark.parametrize("asked", ["", "b.example"])
    @pytest.mark.parametrize("kind", BAD)
    def test_bad(  # noqa: PLR0913, PLR0917 - each with each
        self,
        kind: str,
        asked: str,
        mode: str,
        version: str,
        terms: dict[str, Any],
        tmp_path: Path,
    ) -> None:
        """A bad certificate is refused in the handshake, and both ends say why."""
        terms["client_certificates"] = mode
        serving = contexts(filled(tmp_path / "f", a=A, b=B), **terms)
        shows, line, alert = self.BAD[kind]
        done = shake(client(asked, shows=shows, version=version), serving.connection())
        assert isinstance(done.server_error, CertificateRefused)
        assert f"certificate {line}" == str(done.server_error)
        assert "certificate verify failed" == done.server_error.args[0][-1][-1]
        assert done.alert.endswith(f"alert {alert}")

    @both_versions
    @pytest.mark.parametrize("asked", ["", "b.example"])
    def test_none(
        self, asked: str, version: str, terms: dict[str, Any], tmp_path: Path
    ) -> None:
        """Who shows nothing is refused where that is required, and only there."""
        there = filled(tmp_path / "f", a=A, b=B)
        required = contexts(there, **terms).connection()
        refused = shake(client(asked, version=version), required)
        assert "peer did not return a certificate" in str(refused.server_error)
        alerts = {"1.2": "handshake failure", "1.3": "certificate required"}
        assert refused.alert.endswith(f"alert {alerts[version]}")
        optional = contexts(there, **terms | {"client_certificates": "optional"})
        done = shake(client(asked, version=version), optional.connection())
        assert done.is_done
        assert heard(done.client) is None

    @both_versions
    def test_off(self, version: str, tmp_path: Path) -> None:
        """Where they are off, nobody is asked, and whatever one has stays untold."""
        done = shake(
            client(shows=self.BAD["expired"][0], version=version),
            contexts(pair(tmp_path)).connection(),
        )
        assert done.is_done
        assert done.server.get_peer_certificate(as_cryptography=True) is None

    def test_any_name(self, terms: dict[str, Any], tmp_path: Path) -> None:
        """Without names, every certificate of the authority is good, a nameless too."""
        serving = contexts(pair(tmp_path), **terms | {"client_names": ()})
        assert shake(client(shows=AUTHORITY.issue()), serving.connection()).is_done

    def test_client_itself_is_trusted(self, tmp_path: Path) -> None:
        """A client's own certificate, or an intermediate one, may stand for its CA."""
        alone, other = issue("client.example"), issue("client.example")
        ca = tmp_path / "ca"
        ca.write_bytes(alone.pem + AUTHORITY.intermediate.pem)
        serving = contexts(
            pair(tmp_path), client_certificates="required", client_ca=str(ca)
        )
        tried = (alone, AUTHORITY.issue("x"), other)
        assert [True, True, False] == [
            shake(client(shows=it), serving.connection()).is_done for it in tried
        ]

    def test_client_learns_of_the_authorities(
        self, terms: dict[str, Any], tmp_path: Path
    ) -> None:
        """A client that has several certificates is told whose is wanted."""
        serving = contexts(pair(tmp_path), **terms)
        done = shake(client(), serving.connection())
        names = [it.CN for it in done.client.get_client_ca_list()]
        assert ["Test Root"] == names

    @both_versions
    def test_no_way_round_by_a_session(
        self, version: str, terms: dict[str, Any], tmp_path: Path
    ) -> None:
        """Who was let in once must show its certificate the next time, too."""
        serving = contexts(pair(tmp_path), **terms)
        good = AUTHORITY.issue("client.example")
        Path(terms["client_ca"]).write_bytes(AUTHORITY.intermediate.pem)
        serving.refresh()
        first = client(version=version)
        first.use_certificate(good.certificate)
        first.use_privatekey(good.key)
        assert shake(first, serving.connection()).is_done
        heard(first)
        session = first.get_session()
        assert session is not None
        second = SSL.Connection(first.get_context(), None)
        second.set_connect_state()
        second.set_session(session)
        refused = shake(second, serving.connection())
        assert "peer did not return a certificate" in str(refused.server_error)

    def test_nonsense_names(self, terms: dict[str, Any], tmp_path: Path) -> None:
        """A certificate whose names cannot be understood has none of those wanted."""
        broken = x509.UnrecognizedExtension(
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x03\x82\x01\xff"
        )
        shows = AUTHORITY.issue(extension=broken)
        done = shake(
            client(shows=shows), contexts(pair(tmp_path), **terms).connection()
        )
        assert "certificate is refused: it makes no sense" == str(done.server_error)

    def test_refusals_do_not_leak(self, terms: dict[str, Any], tmp_path: Path) -> None:
        """A connection that was refused is no trouble for the next."""
        serving = contexts(pair(tmp_path), **terms)
        server = serving.connection()
        shake(client(shows=self.BAD["name"][0]), serving.connection())
        assert shake(client(shows=AUTHORITY.issue("client.example")), server).is_done


class TestTerms:
    """Terms that contradict themselves."""

    @pytest.mark.parametrize(
        ("terms", "line"),
        [
            (
                {"client_certificates": "required"},
                (
                    "client_ca is empty, but client_certificates is required; "
                    "want a PEM file of those who vouch for clients"
                ),
            ),
            (
                {"client_certificates": "optional"},
                (
                    "client_ca is empty, but client_certificates is optional; "
                    "want a PEM file of those who vouch for clients"
                ),
            ),
            (
                {"client_ca": "ca.crt"},
                (
                    "client_ca is given, but client_certificates is off; "
                    "want optional or required"
                ),
            ),
            (
                {"client_names": ("a",)},
                (
                    "client_names are given, but client_certificates is off; "
                    "want optional or required"
                ),
            ),
        ],
    )
    def test_contradictions(
        self, terms: dict[str, Any], line: str, tmp_path: Path
    ) -> None:
        """Nobody is let in because a setting has no effect."""
        with pytest.raises(ConfigError) as caught:
            contexts(pair(tmp_path), **terms)
        assert line == str(caught.value)

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (None, "cannot be read: no such file or directory; want a PEM file"),
            (b"", "has no certificate in it; want those of authorities"),
            (A.key_pem, "has no certificate in it; want those of authorities"),
        ],
    )
    def test_authorities(self, data: bytes | None, reason: str, tmp_path: Path) -> None:
        """A file without authorities is told."""
        ca = tmp_path / "ca"
        if data is not None:
            ca.write_bytes(data)
        with pytest.raises(ConfigError) as caught:
            contexts(pair(tmp_path), client_certificates="required", client_ca=str(ca))
        assert f"{ca} {reason}" == str(caught.value)

    @pytest.mark.parametrize("profile", ["intermediate", "modern"])
    @pytest.mark.parametrize("minimum_version", ["1.2", "1.3"])
    def test_profile(
        self,
        profile: Literal["intermediate", "modern"],
        minimum_version: Literal["1.2", "1.3"],
        tmp_path: Path,
    ) -> None:
        """The profile and the minimum version hold for every certificate."""
        there = filled(tmp_path / "f", a=A, b=B)
        serving = contexts(there, profile=profile, minimum_version=minimum_version)
        for name in ("", "b.example"):
            done = shake(client(name, version="1.2"), serving.connection())
            is_old = (profile, minimum_version) == ("intermediate", "1.2")
            assert is_old == done.is_done


class Clock:
    """A time of day that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def write(issued: Issued, key: str = "", certificate: str = "") -> None:
    """Write these files in a way that a look at them shows."""
    for path, data in ((key, issued.key_pem), (certificate, issued.pem)):
        if path:
            Path(path).write_bytes(data)
            os.utime(path, ns=(0, Path(path).stat().st_mtime_ns + 1))


STAYS = "; what was loaded before stays in use"


class TestReload:
    """Files that change while the listener is open."""

    def test_nothing_new(self, tmp_path: Path, lines: list[str]) -> None:
        """Where nothing has changed, nothing is done or said."""
        serving = contexts(pair(tmp_path))
        before = serving.connection().get_context()
        for _ in range(3):
            serving.refresh()
        assert [] == lines
        assert before is serving.connection().get_context()

    def test_new_pair(self, tmp_path: Path, lines: list[str]) -> None:
        """New connections get the new certificate, after one line about it."""
        there = pair(tmp_path)
        serving = contexts(there)
        write(B, there.private_key, there.certificate)
        for _ in range(3):
            serving.refresh()
        assert "b.example" == shown(serving)
        assert [f"Loaded {serving.description}"] == lines
        assert "certificate for b.example, valid until " in lines[0]

    def test_open_connections_keep_theirs(self, tmp_path: Path) -> None:
        """A connection goes on as it began, whatever it is in the midst of."""
        there = pair(tmp_path)
        serving = contexts(there)
        done = shake(client(), serving.connection())
        begun = serving.connection()
        write(B, there.private_key, there.certificate)
        serving.refresh()
        done.client.send(b"abc")
        pump(done.client, done.server)
        assert b"abc" == done.server.recv(3)
        assert "a.example" == shake(client(), begun).shown
        assert "b.example" == shown(serving)

    def test_torn_update(
        self, tmp_path: Path, lines: list[str], errors: list[LogEvent]
    ) -> None:
        """A new certificate waits for its key, and one line says so."""
        there = pair(tmp_path)
        serving = contexts(there)
        write(B, certificate=there.certificate)
        for _ in range(3):
            serving.refresh()
        assert "a.example" == shown(serving)
        write(B, key=there.private_key)
        for _ in range(3):
            serving.refresh()
        assert "b.example" == shown(serving)
        assert 2 == len(lines)
        assert "one that is not for the key in" in lines[0]
        assert lines[0].endswith(STAYS)
        assert 1 == len(errors)
        errors.clear()

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "has no certificate in it"),
            (A.pem[:-30], "ends in the middle of a PEM block"),
            (None, "cannot be read: no such file or directory"),
        ],
    )
    def test_bad_file(
        self,
        data: bytes | None,
        reason: str,
        tmp_path: Path,
        lines: list[str],
        errors: list[LogEvent],
    ) -> None:
        """A bad file is told once for each change; what was there goes on serving."""
        there = pair(tmp_path)
        path = Path(there.certificate)
        serving = contexts(there)
        for number in (1, 2):
            path.unlink()
            if data is not None:
                path.write_bytes(data)
            for _ in range(3):
                serving.refresh()
            assert number == len(lines)
            assert reason in lines[-1]
            assert lines[-1].endswith(STAYS)
            assert "a.example" == shown(serving)
            if number == 1:
                path.write_bytes(b"-----BEGIN")
                serving.refresh()
                del lines[1:]
        write(B, there.private_key, there.certificate)
        serving.refresh()
        assert "b.example" == shown(serving)
        assert {"error"} == {it["log_level"].name for it in errors}
        errors.clear()

    def test_expired(
        self, tmp_path: Path, lines: list[str], errors: list[LogEvent]
    ) -> None:
        """A certificate that has expired takes no other's place."""
        there = pair(tmp_path)
        serving = contexts(there)
        expired = AUTHORITY.issue("c", begin=NOW - 2 * DAY, end=NOW - DAY)
        write(expired, there.private_key, there.certificate)
        serving.refresh()
        serving.refresh()
        assert "a.example" == shown(serving)
        assert [True] == ["expired on" in it for it in lines]
        errors.clear()

    def test_not_yet_valid(
        self, tmp_path: Path, lines: list[str], errors: list[LogEvent]
    ) -> None:
        """A certificate of the future is used when its time has come."""
        there, clock = pair(tmp_path), Clock()
        serving = contexts(there, clock)
        clock.now = NOW - DAY
        write(AUTHORITY.issue("c", begin=NOW), there.private_key, there.certificate)
        for _ in range(3):
            serving.refresh()
        assert "a.example" == shown(serving)
        assert [True] == ["is not valid before" in it for it in lines]
        clock.now = NOW
        for _ in range(3):
            serving.refresh()
        assert "c" == shown(serving)
        assert 2 == len(lines)
        errors.clear()

    def test_folder(
        self, tmp_path: Path, lines: list[str], errors: list[LogEvent]
    ) -> None:
        """Files of a folder come, change and go."""
        there = filled(tmp_path / "f", a=A)
        serving = contexts(there)
        assert "a.example" == shown(serving, "b.example")
        filled(tmp_path / "f", b=B)
        serving.refresh()
        assert "b.example" == shown(serving, "b.example")
        (tmp_path / "f/a.pem").unlink()
        serving.refresh()
        assert "b.example" == shown(serving, "a.example")
        (tmp_path / "f/b.pem").unlink()
        for _ in range(3):
            serving.refresh()
        assert "b.example" == shown(serving, "a.example")
        assert ["Loaded", "Loaded", str(tmp_path / "f")] == [
            it.split()[0] for it in lines
        ]
        assert "has no .pem file in it" in lines[-1]
        errors.clear()

    def test_authorities(self, tmp_path: Path) -> None:
        """Who vouches for clients may change."""
        other = Authority("Other")
        ca = AUTHORITY.write(tmp_path)
        serving = contexts(pair(tmp_path), client_certificates="required", client_ca=ca)

        def accepted() -> list[bool]:
            each = (AUTHORITY.issue("a"), other.issue("a"))
            return [
                shake(client(shows=it), serving.connection()).is_done for it in each
            ]

        assert [True, False] == accepted()
        Path(ca).unlink()
        other.write(tmp_path)
        serving.refresh()
        assert [False, True] == accepted()

    def test_old_contexts_go(self, tmp_path: Path) -> None:
        """What nobody uses any more is not kept, however often files change."""
        serving = contexts(filled(tmp_path / "f", a=A, b=B))
        done = shake(client("b.example"), serving.connection())
        old = weakref.ref(done.server.get_context())
        filled(tmp_path / "f", a=B, b=A)
        serving.refresh()
        gc.collect()
        assert old() is not None
        del done
        gc.collect()
        assert old() is None


class TestStart:
    """Certificates that a listener does not begin with."""

    @pytest.mark.parametrize(
        ("issued", "reason"),
        [
            (issue("a", begin=NOW - 2 * DAY, end=NOW - DAY), "expired on"),
            (issue("a", begin=NOW + DAY), "is not valid before"),
        ],
    )
    def test_time(self, issued: Issued, reason: str, tmp_path: Path) -> None:
        """A certificate must be valid when the service begins."""
        with pytest.raises(
            ConfigError, match=f", for a, {reason} .*; want one that is"
        ):
            contexts(pair(tmp_path, issued))

    def test_missing(self, tmp_path: Path) -> None:
        """A missing file is told by its name."""
        there = evolve(pair(tmp_path), private_key=str(tmp_path / "absent"))
        with pytest.raises(ConfigError, match="absent cannot be read: no such file"):
            contexts(there)

    def test_description(self, tmp_path: Path) -> None:
        """What was loaded is described in one line."""
        until = f"{NOW + 30 * DAY:%Y-%m-%d %H:%M UTC}"
        line = f"certificate for a.example, www.a.example, valid until {until}"
        assert line == contexts(pair(tmp_path)).description


def test_shaken_is_told() -> None:
    """The tests' own handshake tells both ends' errors."""
    stranger = SSL.Connection(SSL.Context(SSL.TLS_SERVER_METHOD), None)
    stranger.set_accept_state()
    done: Shaken = shake(client(), stranger)
    assert not done.is_done
    assert done.alert.endswith("handshake failure")
