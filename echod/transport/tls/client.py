"""The client's end of a TLS connection."""

from OpenSSL import SSL

from ...wire.certificates import KeyPair
from . import credentials
from .identity import anybody, is_address, is_host, server_name
from .pem import load_file
from .profile import make_context
from .trust import authorities, trust
from .verification import VerifyingConnection, verify


class ClientContext:
    """
    What a client's connections have in common: whom they believe, and what they show.

    Args:
        ca: a PEM file of those who may vouch for servers; None for the system's.
        key_pair: what to show to a server that asks for a certificate.
        insecure: whether to believe anybody.

    Raises:
        ConfigError: a file is not what is wanted.
    """

    def __init__(
        self,
        *,
        ca: str | None = None,
        key_pair: KeyPair | None = None,
        insecure: bool = False,
    ) -> None:
        context = make_context(SSL.TLS_CLIENT_METHOD, "intermediate")
        if key_pair is not None:
            files = {path: load_file(path) for path in credentials.paths(key_pair)}
            for it in credentials.load(key_pair, files):
                it.use_in(context)
        if ca is not None:
            trust(context, authorities([load_file(ca)]))
        elif not insecure:
            context.set_default_verify_paths()
        if not insecure:
            verify(context, SSL.VERIFY_PEER)
        self._context = context
        self._insecure = insecure

    def connection(self, host: str) -> SSL.Connection:
        """
        Args:
            host: the name or address that the server must prove to be.

        Returns:
            A new connection that asks for the server by that name. Where the server is
            another, ``do_handshake`` raises ``CertificateRefused``: "certificate is for
            a, b; want HOST".

        Raises:
            BadValue: no server can have that name.
        """
        judge = anybody if self._insecure else is_host(host)
        made = VerifyingConnection(self._context, judge)
        made.set_connect_state()
        if not is_address(host):  # RFC 6066 section 3.
            made.set_tlsext_host_name(server_name(host).encode())
        return made


def client_connection(
    host: str,
    *,
    ca: str | None = None,
    key_pair: KeyPair | None = None,
    insecure: bool = False,
) -> SSL.Connection:
    """
    Returns:
        One connection; see ``ClientContext``, which saves those who want more of them
        the reading of the files.

    Raises:
        ConfigError: a file is not what is wanted.
        BadValue: no server can have that name.
    """
    return ClientContext(ca=ca, key_pair=key_pair, insecure=insecure).connection(host)
