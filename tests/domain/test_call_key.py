"""A provider call's key: building it and parsing it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.call_key import CallKey, Operation, is_key_of, key_of_generation
from domain.calls import ProviderCall

PAYMENT = "pay_1"

KEYS: dict[str, CallKey] = {
    "pay_1:create": CallKey.create(PAYMENT),
    "pay_1:confirm:2": CallKey.confirm(PAYMENT, 2),
    "pay_1:capture:1": CallKey.capture(PAYMENT, 1),
    "pay_1:cancel:3": CallKey.cancel(PAYMENT, 3),
    "pay_1:cancel:exhausted": CallKey.cancel_exhausted(PAYMENT),
    "pay_1:refund:re_7": CallKey.refund(PAYMENT, "re_7"),
    "pay_1:create.1": CallKey(PAYMENT, Operation.CREATE, generation=1),
    "pay_1:confirm:2.12": CallKey(PAYMENT, Operation.CONFIRM, "2", 12),
}

NO_KEYS = (
    "",
    "pay_1",
    "pay_1:",
    ":create",
    "pay_1:void:1",
    "pay_1:create:1",
    "pay_1:confirm",
    "pay_1:confirm:",
    "pay_1:confirm:2:3",
    "pay_1:create.",
    "pay_1:create.0",
    "pay_1:create.01",
    "pay_1:create.-1",
    "pay_1:create.x",
    "pay_1:create.1.1",
    "pay_1:create.\N{ARABIC-INDIC DIGIT ONE}",
    "pay_1:create." + "9" * 5000,
    "pay_1:CREATE",
)


@pytest.mark.parametrize("text", KEYS)
def test_a_key_is_built_and_parsed(text: str) -> None:
    """Providers and the database store these texts, so they must never change."""
    assert str(KEYS[text]) == text
    assert CallKey.parse(text) == KEYS[text]


@pytest.mark.parametrize("text", NO_KEYS)
def test_any_other_text_is_no_key(text: str) -> None:
    """A provider reports any key that a caller chose; only our own keys are parsed."""
    assert CallKey.parse(text) is None
    assert not is_key_of(text, "pay_1:create")


def test_no_key_is_none() -> None:
    """Most events name no key at all."""
    assert CallKey.parse(None) is None


@given(st.text(alphabet="pay_1:.create0x²") | st.text())
def test_a_parsed_key_builds_the_same_text(text: str) -> None:
    """Parsing any text gives None, or a key with exactly that text."""
    key = CallKey.parse(text)
    assert key is None or str(key) == text


def test_every_generation_is_a_key_of_the_same_call() -> None:
    """A retry under a new key is still the same call, and no other call."""
    assert key_of_generation("pay_1:refund:re_7", 0) == "pay_1:refund:re_7"
    assert key_of_generation("pay_1:refund:re_7", 2) == "pay_1:refund:re_7.2"
    for key in ("pay_1:refund:re_7", "pay_1:refund:re_7.1", "pay_1:refund:re_7.2"):
        assert is_key_of(key, "pay_1:refund:re_7")
        assert not is_key_of(key, "pay_1:refund:re_70")
        assert not is_key_of(key, "pay_2:refund:re_7")
    assert not is_key_of(None, "pay_1:refund:re_7")
    with pytest.raises(ValueError, match="'no key' is not the key of a provider call"):
        key_of_generation("no key", 1)


@pytest.mark.parametrize(
    ("text", "attempt"),
    [("pay_1:create.2", 1), ("pay_1:confirm:3", 3), ("pay_1:confirm:x", 0), ("pay_1:capture:2", 0)],
)
def test_a_create_and_each_confirm_start_an_attempt(text: str, attempt: int) -> None:
    """The create starts the first one. Every other call starts none."""
    key = CallKey.parse(text)
    assert key is not None
    assert key.attempt == attempt


def test_there_is_no_other_operation() -> None:
    """A stored call of an unknown operation can't be read, so no provider is ever sent one."""
    call = {"key": "pay_1:void:1", "operation": "void", "payment_id": "pay_1", "provider": "any"}
    with pytest.raises(msgspec.ValidationError, match="operation"):
        msgspec.convert(call, ProviderCall)
