"""Which files prove who a server is."""

from attrs import frozen


@frozen(kw_only=True)
class KeyPair:
    """
    One certificate for every name.

    Args:
        private_key: the file of its key, PEM.
        certificate: its file, PEM; what follows in it is the chain.
        chain: a file of the rest of the chain, PEM; empty for none.
    """

    private_key: str
    certificate: str
    chain: str = ""


@frozen
class Folder:
    """
    A certificate for each name that a client asks for (SNI, RFC 6066 section 3).

    Args:
        path: a folder of PEM files, each with a key, its certificate and the chain, as
            Twisted's ``tls:`` endpoint has them: ``example.org.pem`` is for that name.
    """

    path: str


Certificates = KeyPair | Folder
