"""TLS between two connections in memory."""

from attrs import frozen
from OpenSSL import SSL

#: More bytes than a handshake has.
_ALL = 1 << 20


@frozen
class Shaken:
    """
    How a handshake ended.

    Args:
        client: its end.
        server: its end.
        client_error: what the client's end raised; None where all is well.
        server_error: the same of the server's.
    """

    client: SSL.Connection
    server: SSL.Connection
    client_error: SSL.Error | None
    server_error: SSL.Error | None

    @property
    def is_done(self) -> bool:
        """Whether both ends have what they need."""
        return self.client_error is None and self.server_error is None

    @property
    def shown(self) -> str:
        """The first name that the server showed."""
        certificate = self.client.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return str(certificate.subject.rfc4514_string()).removeprefix("CN=")

    @property
    def alert(self) -> str:
        """What the client hears from a server that refuses it."""
        error = self.client_error or heard(self.client)
        assert error is not None
        return str(error.args[0][-1][-1])


def heard(connection: SSL.Connection) -> SSL.Error | None:
    """What reading raises, unless it is that nothing came."""
    try:
        connection.recv(1)
    except SSL.WantReadError:
        return None
    except SSL.Error as error:
        return error
    return None


def pump(one: SSL.Connection, other: SSL.Connection) -> int:
    """Carry what ``one`` has to say to ``other``; how many bytes."""
    try:
        data = one.bio_read(_ALL)
    except SSL.WantReadError:
        return 0
    other.bio_write(data)
    return len(data)


def shake(client: SSL.Connection, server: SSL.Connection) -> Shaken:
    """Carry bytes between the two until neither has any left."""
    errors: dict[SSL.Connection, SSL.Error] = {}
    carried = 1
    while carried:
        carried = 0
        for end, other in ((client, server), (server, client)):
            if end not in errors:
                try:
                    end.do_handshake()
                except SSL.WantReadError:
                    pass
                except SSL.Error as error:
                    errors[end] = error
            carried += pump(end, other)
    return Shaken(client, server, errors.get(client), errors.get(server))
