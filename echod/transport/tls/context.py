"""The TLS contexts of a listener, made anew when its files change."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from attrs import frozen
from cryptography import x509
from OpenSSL import SSL
from twisted.logger import Logger

from ...errors import ConfigError
from ...wire.certificates import Certificates
from . import credentials
from .credential import Credential, NotYetValid
from .identity import Judge, is_one_of
from .profile import MinimumVersion, ProfileName, make_context
from .trust import authorities, trust
from .verification import VerifyingConnection, verify
from .watch import Watch

_VERIFY_MODES = {
    "optional": SSL.VERIFY_PEER,
    "required": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
}


@frozen(kw_only=True)
class TlsTerms:
    """
    On what terms a server speaks TLS.

    Args:
        profile: of Mozilla's guideline: ``intermediate`` or ``modern``.
        minimum_version: of TLS: ``1.2`` or ``1.3``; never below the profile's.
        client_certificates: ``off``, ``optional`` (who shows one must show a good one)
            or ``required``.
        client_ca: a PEM file of those who vouch for clients; empty for none.
        client_names: host names, e-mail addresses and URIs, one of which a client's
            certificate must have; empty for any.
    """

    profile: ProfileName = "intermediate"
    minimum_version: MinimumVersion = "1.2"
    client_certificates: Literal["off", "optional", "required"] = "off"
    client_ca: str = ""
    client_names: tuple[str, ...] = ()

    def judge(self) -> Judge:
        """
        Returns:
            What decides on a client's certificate that an authority vouches for.

        Raises:
            ConfigError: the terms contradict one another, or a name is none.
        """
        is_off = self.client_certificates == "off"
        if not is_off and not self.client_ca:
            is_so = f"client_certificates is {self.client_certificates}"
            wanted = "a PEM file of those who vouch for clients"
            raise ConfigError(f"client_ca is empty, but {is_so}; want {wanted}")
        if is_off and (self.client_ca or self.client_names):
            which = "client_ca is" if self.client_ca else "client_names are"
            wanted = "optional or required"
            msg = f"{which} given, but client_certificates is off; want {wanted}"
            raise ConfigError(msg)
        return is_one_of(self.client_names)


class _Generation:
    """
    The contexts made of what the files held at one time: one for each certificate.

    Each context keeps all of them alive, for as long as a connection has one: OpenSSL
    may ask for a name twice (RFC 8446 section 4.1.4).
    """

    def __init__(
        self,
        found: tuple[Credential, ...],
        terms: TlsTerms,
        trusted: tuple[x509.Certificate, ...],
    ) -> None:
        self.description = credentials.describe(found)
        self._by_name: dict[str, SSL.Context] = {}
        contexts = [_server_context(it, terms, trusted) for it in found]
        self.default = contexts[0]
        for it, context in zip(found, contexts, strict=True):
            self._by_name.update(dict.fromkeys(it.names.hosts, context))
            if len(contexts) > 1:
                context.set_tlsext_servername_callback(self._choose)

    def _choose(self, connection: SSL.Connection) -> None:
        asked = connection.get_servername() or b""
        name = asked.decode("ascii", "replace").lower().removesuffix(".")
        wildcard = "*." + name.partition(".")[2]
        by_name = self._by_name
        connection.set_context(
            by_name.get(name) or by_name.get(wildcard) or self.default
        )


class ServerContexts:
    """
    The context that each new TLS connection of a listener gets.

    Args:
        certificates: the files to serve with.
        terms: how.
        now: the time of day.

    Raises:
        ConfigError: that cannot be; nothing was changed.
    """

    _log = Logger()

    def __init__(
        self, certificates: Certificates, terms: TlsTerms, now: Callable[[], datetime]
    ) -> None:
        self._certificates = certificates
        self._terms = terms
        self._now = now
        self._judge = terms.judge()
        self._valid_since: datetime | None = None
        self._files = Watch(lambda: credentials.paths(certificates))
        self._authorities = Watch(lambda: [terms.client_ca] if terms.client_ca else [])
        self._look()
        self._generation = self._load()

    @property
    def description(self) -> str:
        """For whom the certificates are and until when, in one line."""
        return self._generation.description

    def connection(self) -> SSL.Connection:
        """
        Returns:
            A new connection, waiting for a client's first bytes. Where it refuses the
            client's certificate, ``do_handshake`` raises ``CertificateRefused``.
        """
        made = VerifyingConnection(self._generation.default, self._judge)
        made.set_accept_state()
        return made

    def refresh(self) -> None:
        """
        Serve new connections with what the files hold now, if they have changed and
        are right; to be called once a second. Never raises; the log tells.
        """
        is_due = self._valid_since is not None and self._valid_since <= self._now()
        if not self._look() and not is_due:
            return
        try:
            self._generation = self._load()
        except ConfigError as error:
            kept = "what was loaded before stays in use"
            self._log.error("{error}; {kept}", error=str(error), kept=kept)
        else:
            self._log.info("Loaded {description}", description=self.description)

    def _look(self) -> bool:
        looks = [self._files.look(), self._authorities.look()]
        return any(looks)

    def _load(self) -> _Generation:
        self._valid_since = None
        trusted = authorities(self._authorities.files().values())
        found = credentials.load(self._certificates, self._files.files())
        try:
            for it in found:
                it.reject_untimely(self._now())
        except NotYetValid as error:
            self._valid_since = error.since
            raise
        return _Generation(found, self._terms, trusted)


def _server_context(
    it: Credential, terms: TlsTerms, trusted: tuple[x509.Certificate, ...]
) -> SSL.Context:
    method = SSL.TLS_SERVER_METHOD
    context = make_context(method, terms.profile, terms.minimum_version)
    it.use_in(context)
    if terms.client_certificates != "off":
        trust(context, trusted)
        verify(context, _VERIFY_MODES[terms.client_certificates])
        for authority in trusted:
            context.add_client_ca(authority)
    return context
