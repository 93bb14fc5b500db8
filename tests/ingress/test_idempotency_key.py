"""An Idempotency-Key is a string of structured fields, and the same without its quotation marks."""

import re
from typing import Final

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingress.errors import InvalidIdempotencyKeyError
from ingress.idempotency import KEY_SCHEMA, idempotency_key
from tests.ingress.harness import PAYMENT, Log, assert_problem

_PRINTABLE: Final = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
_KEYS: Final = _PRINTABLE.filter(lambda key: 1 <= len(key) <= 255)


def _quoted(key: str) -> str:
    """The key as RFC 8941 writes a string."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(_KEYS)
@example('"')
@example("\\")
@example('a"b\\c')
@example("\\" * 255)
def test_a_quoted_key_is_what_stands_between_the_marks(key: str) -> None:
    """Whatever it contains; its length is that of the key, not of the header."""
    assert idempotency_key([_quoted(key)]) == key


@given(_KEYS.filter(lambda key: key == key.strip() and not key.startswith('"')))
@example('a"b')
@example("a\\b")
def test_a_key_without_marks_is_the_same_key(key: str) -> None:
    """Of what many clients send, nothing is read as an escape."""
    assert idempotency_key([key]) == key == idempotency_key([_quoted(key)])


@pytest.mark.parametrize(
    "sent",
    [
        '"', '""', '"a', '"a"b', '"a";b=1', '"a", "b"', '"a\\b"', '"a\\"', '"a\\\\\\"', '"é"',
        '"a\tb"', f'"{"a" * 256}"', '"\\',
    ],
)  # fmt: skip
def test_a_key_that_only_begins_as_a_string_is_refused(sent: str) -> None:
    """A guess at its end could make one key of two."""
    with pytest.raises(InvalidIdempotencyKeyError):
        idempotency_key([sent])


@given(_PRINTABLE.map(lambda text: text.strip()) | _KEYS.map(_quoted) | st.text())
@example('"a"b')
@example("a" * 256)
def test_the_documented_pattern_is_what_is_accepted(sent: str) -> None:
    """Neither narrower nor wider, so a client may check its keys by it."""
    is_long_enough = KEY_SCHEMA["minLength"] <= len(sent) <= KEY_SCHEMA["maxLength"]
    is_documented = is_long_enough and re.search(KEY_SCHEMA["pattern"] + r"\Z", sent) is not None
    try:
        idempotency_key([sent])
    except InvalidIdempotencyKeyError:
        assert not is_documented
    else:
        assert is_documented or sent != sent.strip(" ")


@pytest.mark.anyio
async def test_a_payment_has_one_id_with_and_without_the_marks(
    acme: httpx.AsyncClient, log: Log
) -> None:
    """A retry by another library is a retry."""
    answers = [
        await acme.post("/v1/payments", json=PAYMENT, headers={"Idempotency-Key": sent})
        for sent in ("order-1", '"order-1"')
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert len(log.records) == 1


@pytest.mark.anyio
async def test_a_malformed_key_is_400_and_the_fix_is_said(acme: httpx.AsyncClient) -> None:
    """The problem names RFC 8941 and both escapes."""
    response = await acme.post("/v1/payments", json=PAYMENT, headers={"Idempotency-Key": '"a'})
    detail = assert_problem(response, 400, "idempotency-key-invalid")["detail"]
    assert "RFC 8941" in detail
    assert '\\"' in detail
