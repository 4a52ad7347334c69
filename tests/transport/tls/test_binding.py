"""What is asked of pyOpenSSL's inside: that it is there, and what if it is not."""

import pytest
from OpenSSL import SSL

from echod.transport.tls import binding


def test_groups_can_be_set() -> None:
    """This pyOpenSSL has what it takes; groups need no other way."""
    context = SSL.Context(SSL.TLS_METHOD)
    assert binding.set_groups(context, ("X25519", "prime256v1"))


def test_unknown_groups_cannot() -> None:
    """A list with an unknown group is not taken, and leaves no error behind."""
    context = SSL.Context(SSL.TLS_METHOD)
    assert not binding.set_groups(context, ("X25519", "unheard-of"))
    assert 0 == SSL._lib.ERR_peek_error()  # type: ignore[attr-defined]


def test_refusals_can_be_told() -> None:
    """This pyOpenSSL has what it takes; tests of contexts see the alert."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    before = context._verify_callback
    assert binding.tell_refusals(context, SSL.VERIFY_PEER)
    assert before is not context._verify_callback


@pytest.mark.parametrize("name", ["_lib", "_ffi"])
def test_another_pyopenssl(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the inside is another, the answer is no, and nothing is raised."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    before = context._verify_callback
    monkeypatch.delattr(SSL, name)
    is_set = binding.set_groups(context, ("X25519",))
    is_told = binding.tell_refusals(context, SSL.VERIFY_PEER)
    monkeypatch.undo()
    assert (name != "_lib", False) == (is_set, is_told)
    assert before is context._verify_callback
