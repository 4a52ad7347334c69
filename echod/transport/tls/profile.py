"""
Which versions, ciphers and groups of TLS are spoken.

Source: Mozilla, "Server Side TLS", guidelines 5.8. What 5.7 has beside these, finite
field Diffie-Hellman, lets a client make the server work (CVE-2002-20001).
"""

from typing import Literal

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from . import binding

ProfileName = Literal["intermediate", "modern"]
MinimumVersion = Literal["1.2", "1.3"]

_VERSIONS: dict[str, int] = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


@frozen(kw_only=True)
class Profile:
    """
    One of the guideline's configurations.

    Args:
        minimum_version: of TLS.
        ciphers: OpenSSL's names of the cipher suites of TLS 1.2.
        suites: those of TLS 1.3.
        groups: OpenSSL's names of the key exchange groups.
    """

    minimum_version: MinimumVersion
    ciphers: tuple[str, ...] = (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
    suites: tuple[str, ...] = (
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    )
    groups: tuple[str, ...] = ("X25519MLKEM768", "X25519", "prime256v1", "secp384r1")


PROFILES: dict[ProfileName, Profile] = {
    "intermediate": Profile(minimum_version="1.2"),
    "modern": Profile(minimum_version="1.3"),
}

# What OpenSSL 3.2 and later begin with: 112 bits, which is RSA of 2048 and no SHA-1.
# Earlier ones would take less.
_SECURITY_LEVEL = "@SECLEVEL=2"

# OpenSSL would look for the rest of a chain among the authorities that clients'
# certificates are held against. Source: SSL_CTX_set_mode(3); pyOpenSSL has no name.
_MODE_NO_AUTO_CHAIN = 0x8

_OPTIONS = (
    SSL.OP_NO_COMPRESSION
    | SSL.OP_NO_RENEGOTIATION
    # A session that is taken up again shows no certificate: with neither tickets nor
    # a cache there is none, and each connection proves anew who is there.
    | SSL.OP_NO_TICKET
)


def make_context(
    method: int, name: ProfileName, minimum_version: MinimumVersion = "1.2"
) -> SSL.Context:
    """
    Args:
        method: ``SSL.TLS_SERVER_METHOD`` or ``SSL.TLS_CLIENT_METHOD``.
        name: of the profile.
        minimum_version: of TLS; the profile's where that is higher.

    Returns:
        A context that has no certificate yet. Who connects chooses among the ciphers,
        as the guideline has it: all are good, and it knows which of them it is fast at.
    """
    profile = PROFILES[name]
    context = SSL.Context(method)
    lowest = max(_VERSIONS[minimum_version], _VERSIONS[profile.minimum_version])
    context.set_min_proto_version(lowest)
    ciphers = ":".join([*profile.ciphers, _SECURITY_LEVEL])
    context.set_cipher_list(ciphers.encode())
    context.set_tls13_ciphersuites(":".join(profile.suites).encode())
    context.set_options(_OPTIONS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # An idle connection gives its buffers back, and holds 18 KiB instead of 34.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS | _MODE_NO_AUTO_CHAIN)
    _set_groups(context, profile.groups)
    return context


def _set_groups(context: SSL.Context, groups: tuple[str, ...]) -> None:
    # OpenSSL has the first since 3.5, and takes no list with an unknown name in it.
    if not any(binding.set_groups(context, it) for it in (groups, groups[1:])):
        context.set_tmp_ecdh(ec.SECP256R1())  # The one of them that can be had so.
