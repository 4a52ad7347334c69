"""
What OpenSSL has and pyOpenSSL has no method for.

Each function asks what pyOpenSSL keeps to itself, says whether that was there, and
leaves the context as it was where it was not. Tests pin both.
"""

from typing import Any

from OpenSSL import SSL

# "The certificate is rejected" (x509_vfy.h); it becomes the alert bad_certificate.
_CERT_REJECTED = 28


def set_groups(context: SSL.Context, groups: tuple[str, ...]) -> bool:
    """
    Args:
        context: one that has no connections yet.
        groups: OpenSSL's names of key exchange groups, the best first.

    Returns:
        Whether the context offers and takes these groups and no others now.
    """
    library: Any = getattr(SSL, "_lib", None)
    try:
        is_set = library.SSL_CTX_set1_curves_list(
            context._context,  # noqa: SLF001 - see above
            ":".join(groups).encode(),
        )
        if not is_set:
            library.ERR_clear_error()
    except AttributeError:
        return False
    return bool(is_set)


def tell_refusals(context: SSL.Context, mode: int) -> bool:
    """
    Let a certificate that the context's own callback refuses be answered with the
    alert that says so. Without this OpenSSL knows of no reason, and says
    internal_error, as if this end were broken.

    Args:
        context: one whose ``set_verify`` was called and that has no connections yet.
        mode: what ``set_verify`` was called with.

    Returns:
        Whether it will.
    """
    library: Any = getattr(SSL, "_lib", None)
    foreign: Any = getattr(SSL, "_ffi", None)
    inner: Any = getattr(context, "_verify_callback", None)

    def verify(is_fine: int, store: object) -> int:
        verdict: int = inner(is_fine, store)
        if is_fine and not verdict:
            library.X509_STORE_CTX_set_error(store, _CERT_REJECTED)
        return verdict

    try:
        outer = foreign.callback("int (*)(int, X509_STORE_CTX *)", verify)
        library.X509_STORE_CTX_set_error  # noqa: B018 - it is asked for here, not there
        library.SSL_CTX_set_verify(context._context, mode, outer)  # noqa: SLF001
    except AttributeError:
        return False
    # Connections take their reference from there; it goes when the last of them does.
    context._verify_callback = outer  # noqa: SLF001
    return True
