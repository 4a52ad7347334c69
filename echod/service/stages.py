"""What comes before the echo: the PROXY header, and TLS."""

from collections import Counter
from datetime import UTC, datetime
from typing import cast

from twisted.internet.interfaces import IProtocolFactory

from ..errors import ConfigError, shown
from ..settings import ListenerSettings
from ..transport.opening import Opening
from ..transport.proxied import ProxiedFactory
from ..transport.tls.context import ServerContexts, TlsTerms
from ..transport.tls.factory import TlsFactory
from ..wire.certificates import Certificates
from ..wire.listener import OwnListener


class Stages:
    """
    The stages of the connections of one place.

    Args:
        settings: the terms.
        opening: where connections wait until they are open.

    Attributes:
        proxied: the factories of connections with a header, with their counters.
        tls: the same for TLS.
    """

    def __init__(self, settings: ListenerSettings, opening: Opening) -> None:
        self._settings = settings
        self._opening = opening
        self._contexts: dict[Certificates, ServerContexts] = {}
        self.proxied: list[ProxiedFactory] = []
        self.tls: list[TlsFactory] = []

    def before(
        self, factory: IProtocolFactory, listener: OwnListener
    ) -> IProtocolFactory:
        """
        Args:
            factory: makes the protocols of connections that are open.
            listener: where they come in.

        Returns:
            What makes those of connections that begin.

        Raises:
            ConfigError: there can be no TLS with what the settings say.
        """
        settings = self._settings
        certificates = certificates_of(listener)
        if certificates is not None:
            contexts = self._context(certificates, listener)
            tls = TlsFactory(
                factory,
                lambda: contexts.connection(),
                self._opening,
                timeout_s=settings.handshake_timeout,
            )
            self.tls.append(tls)
            factory = cast("IProtocolFactory", tls)
        if settings.proxy_protocol:
            proxied = ProxiedFactory(
                factory,
                settings.proxy_from,
                self._opening,
                timeout_s=settings.proxy_timeout,
            )
            self.proxied.append(proxied)
            factory = cast("IProtocolFactory", proxied)
        return factory

    def terms(self, listener: OwnListener) -> str:
        """
        Returns:
            What a person should know of the stages of ``listener``, to follow its name;
            nothing where there are none.
        """
        told = ""
        if self._settings.proxy_protocol:
            told += f"; PROXY protocol from {self._settings.proxy_from}"
        certificates = certificates_of(listener)
        if certificates is not None:
            told += f"; TLS with {self._contexts[certificates].description}"
        return told

    def refused(self) -> Counter[str]:
        """
        Returns:
            How many connections each stage has refused, and why.
        """
        found: Counter[str] = Counter()
        for proxied in self.proxied:
            for reason, connections in proxied.counters.refused.items():
                found[f"PROXY {reason}"] += connections
        for tls in self.tls:
            for word, connections in tls.counters.failed.items():
                found[f"TLS {word}"] += connections
        return found

    def refresh(self) -> None:
        """Serve with what is in the files of certificates by now."""
        for contexts in self._contexts.values():
            contexts.refresh()

    def _context(
        self, certificates: Certificates, listener: OwnListener
    ) -> ServerContexts:
        settings = self._settings
        if certificates not in self._contexts:
            terms = TlsTerms(
                profile=settings.tls_profile,
                minimum_version=settings.tls_minimum,
                client_certificates=settings.client_certificates,
                client_ca=settings.client_ca,
                client_names=settings.client_names,
            )
            try:
                made = ServerContexts(certificates, terms, lambda: datetime.now(UTC))
            except ConfigError as error:
                raise ConfigError(f"listen {shown(listener)}: {error}") from error
            self._contexts[certificates] = made
        return self._contexts[certificates]


def certificates_of(listener: OwnListener) -> Certificates | None:
    """
    Returns:
        What the connections of ``listener`` are proved with; None without TLS.
    """
    return getattr(listener, "certificates", None)
