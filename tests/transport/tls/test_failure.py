"""What OpenSSL says of a failure, in one word."""

import pytest
from OpenSSL import SSL

from echod.errors import EX_UNAVAILABLE, EchodError
from echod.transport.tls.failure import Reason, handshake_failed, said


def error(*words: str) -> SSL.Error:
    """One as pyOpenSSL raises it."""
    return SSL.Error([("SSL routines", "", it) for it in words])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("tlsv1 alert unknown ca", "alert"),
        ("tlsv13 alert certificate required", "alert"),
        ("ssl/tls alert bad certificate", "alert"),
        ("tlsv1 alert protocol version", "alert"),
        ("http request", "garbage"),
        ("https proxy request", "garbage"),
        ("wrong version number", "garbage"),
        ("unexpected message", "garbage"),
        ("length mismatch", "garbage"),
        ("unsupported protocol", "version"),
        ("no protocols available", "version"),
        ("version too low", "version"),
        ("inappropriate fallback", "version"),
        ("no shared cipher", "cipher"),
        ("no suitable key share", "cipher"),
        ("no suitable signature algorithm", "cipher"),
        ("certificate verify failed", "certificate"),
        ("peer did not return a certificate", "certificate"),
        ("internal error", "other"),
    ],
)
def test_words(words: str, reason: Reason) -> None:
    """Each of OpenSSL's sentences has one word."""
    failed = handshake_failed(error(words))
    assert (reason, words) == (failed.reason, failed.detail)


def test_second_entry_counts() -> None:
    """OpenSSL puts what it means by it last."""
    failed = handshake_failed(error("data length too big", "record layer failure"))
    assert "garbage" == failed.reason
    assert "data length too big, record layer failure" == failed.detail


def test_error_of_ours_says_more() -> None:
    """An error that is echod's as well has the better sentence."""

    class Refused(EchodError, SSL.Error):
        def __str__(self) -> str:
            return "certificate is for a; want b"

    failed = handshake_failed(Refused([("", "", "certificate verify failed")]))
    assert "certificate" == failed.reason
    wanted = "the TLS handshake failed: certificate is for a; want b"
    assert (wanted, EX_UNAVAILABLE) == (str(failed), failed.exit_code)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (SSL.Error([]), "openssl gave no reason"),
        (SSL.Error(), "openssl gave no reason"),
        (SSL.SysCallError(-1, "Unexpected EOF"), "-1 unexpected eof"),
    ],
)
def test_without_words(given: SSL.Error, wanted: str) -> None:
    """An error without OpenSSL's sentence has one as well."""
    assert wanted == said(given)
    assert "other" == handshake_failed(given).reason
