"""Whom the other side must be."""

from collections.abc import Callable
from ipaddress import ip_address

import idna
from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity

from ...errors import BadValue, ConfigError, shown
from .names import Names, names

#: Says why a certificate that an authority vouches for is refused, or None.
Judge = Callable[[x509.Certificate], str | None]


def anybody(_certificate: x509.Certificate) -> str | None:
    """Refuses nobody."""
    return None


def is_address(host: str) -> bool:
    """Whether ``host`` is an IP address, with a zone or without."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def server_name(host: str) -> str:
    """
    Args:
        host: a name, in any script, or an address.

    Returns:
        The name as TLS has it (A-labels, no dot at the end), or the bare address.

    Raises:
        BadValue: there can be no such name.
    """
    if is_address(host):
        return host.partition("%")[0]
    name = host.removesuffix(".")
    try:
        encoded = name if name.isascii() else idna.encode(name, uts46=True).decode()
        DNS_ID(encoded)
    except ValueError as error:
        raise BadValue("host", host, "a host name or an address") from error
    return encoded


def is_host(host: str) -> Judge:
    """
    Args:
        host: the name or address that the other side was called by.

    Returns:
        Refuses a certificate that is not for it. Source: RFC 9525.

    Raises:
        BadValue: there can be no such name.
    """
    name = server_name(host)
    wanted = IPAddress_ID(name) if is_address(name) else DNS_ID(name)

    def judge(certificate: x509.Certificate) -> str | None:
        try:
            verify_service_identity(extract_patterns(certificate), [wanted], [])
        except (VerificationError, CertificateError):
            return f"certificate is for {names(certificate)}; want {shown(host)}"
        return None

    return judge


def is_one_of(accepted: tuple[str, ...]) -> Judge:
    """
    Args:
        accepted: host names, e-mail addresses and URIs; empty for anybody.

    Returns:
        Refuses a certificate that is for none of them. A name is one that stands in
        the certificate: ``*.example.org`` there is that, and not ``a.example.org``.
        The case of a host name does not matter, nor that of an e-mail address's host.

    Raises:
        ConfigError: one of them is no such thing.
    """
    if not accepted:
        return anybody
    wanted = {_kind_and_name(it) for it in accepted}

    def judge(certificate: x509.Certificate) -> str | None:
        found = names(certificate)
        if wanted.isdisjoint(_kinds_and_names(found)):
            return f"certificate is for {found}; want {shown(', '.join(accepted))}"
        return None

    return judge


def _kind_and_name(text: str) -> tuple[str, str]:
    kind = "uri" if ":" in text else "email" if "@" in text else "host"
    is_plain = text.isascii() and text.isprintable() and text and " " not in text
    if not is_plain or is_address(text):
        wanted = "a host name, an e-mail address or a URI in ASCII"
        raise ConfigError(f"client_names has {shown(text)}; want {wanted}")
    return kind, _usual(kind, text)


def _kinds_and_names(found: Names) -> set[tuple[str, str]]:
    each = (("host", found.hosts), ("email", found.emails), ("uri", found.uris))
    return {(kind, _usual(kind, it)) for kind, several in each for it in several}


def _usual(kind: str, name: str) -> str:
    if kind == "host":
        return name.lower()
    local, at, host = name.rpartition("@")
    return local + at + host.lower() if kind == "email" else name
