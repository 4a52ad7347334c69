"""The authorities that vouch for the other side."""

from collections.abc import Iterable

from cryptography import x509
from OpenSSL import SSL, crypto

from ...errors import ConfigError
from .pem import PemFile


def authorities(files: Iterable[PemFile]) -> tuple[x509.Certificate, ...]:
    """
    Args:
        files: where they are; there may be none.

    Returns:
        The certificates in them.

    Raises:
        ConfigError: one of the files has none, or one that OpenSSL does not take.
    """
    found: list[x509.Certificate] = []
    for file in files:
        if not file.certificates:
            msg = f"{file.place} has no certificate in it; want those of authorities"
            raise ConfigError(msg)
        try:
            _fill(crypto.X509Store(), file.certificates)
        except (crypto.Error, ValueError) as error:
            msg = f"{file.place} has an authority that cannot be used: {said(error)}"
            raise ConfigError(f"{msg}; want X.509 in PEM") from error
        found += file.certificates
    return tuple(found)


def trust(context: SSL.Context, trusted: Iterable[x509.Certificate]) -> None:
    """
    Let the connections of ``context`` believe what these vouch for. Each is believed
    as it stands: it need not be a root, nor even an authority.
    """
    store = context.get_cert_store()
    assert store is not None  # pyOpenSSL: only a context that is broken has none.
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    _fill(store, trusted)


def _fill(store: crypto.X509Store, trusted: Iterable[x509.Certificate]) -> None:
    for authority in trusted:
        store.add_cert(crypto.X509.from_cryptography(authority))


def said(error: Exception) -> str:
    """
    Returns:
        The first reason in an error of OpenSSL's, or what another error says.
    """
    reasons = error.args[0] if error.args else None
    if isinstance(reasons, list) and reasons:
        return str(reasons[0][-1])
    return str(error)
