"""What a release has stored, every later one can read. These files are never made again.

For a change of a format add a file beside them; a file that no longer decodes stands for payments
that would be quarantined.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from domain.calls import ProviderCall
from domain.payment import Payment
from domain.view import snapshot
from postgres.documents import (
    decode_call,
    decode_payment,
    encode_call,
    encode_payment,
    encode_snapshot,
)
from schemas.commands import VALUE
from schemas.results import ProviderResult
from schemas.state import PaymentState

STORED: Final = Path(__file__).parent / "stored"


def _payment(text: bytes) -> bytes:
    return encode_payment(decode_payment(text)).encode()


def _call(text: bytes) -> bytes:
    return encode_call(decode_call(text)).encode()


def _command(text: bytes) -> bytes:
    return VALUE.dump_json(VALUE.validate_json(text))


def _result(text: bytes) -> bytes:
    return ProviderResult.model_validate_json(text).model_dump_json().encode()


def _snapshot(text: bytes) -> bytes:
    return PaymentState.model_validate_json(text).model_dump_json().encode()


#: By the beginning of a file's name: decodes what is stored, and encodes it again.
AGAIN: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "payment": _payment,
    "snapshot": _snapshot,
    "call": _call,
    "command": _command,
    "result": _result,
}
FILES: Final = sorted(STORED.glob("*.json"))


#: Numbers that are left out where they are 0. An amount never is.
COUNTS: Final = frozenset({"failures_before", "cancel_refusals"})


def _is_left_out(name: str, value: Any) -> bool:
    """Whether a document may lack this field, because its absence means the same."""
    return value in (None, [], {}) or (name in COUNTS and value == 0)


def _kept(before: Any, after: Any) -> bool:
    """Whether everything of ``before`` is in ``after``, which may have more fields."""
    if isinstance(before, dict):
        return isinstance(after, dict) and all(
            _kept(value, after[name]) if name in after else _is_left_out(name, value)
            for name, value in before.items()
        )
    if isinstance(before, list):
        return (
            isinstance(after, list) and len(before) == len(after) and all(map(_kept, before, after))
        )
    return bool(before == after)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_was_stored_can_be_read_and_nothing_of_it_is_lost(file: Path) -> None:
    """A new field needs a default, and an old one keeps its name and its meaning."""
    stored = file.read_bytes()
    again = AGAIN[file.stem.partition("-")[0]](stored)
    assert _kept(json.loads(stored), json.loads(again)), again


def test_every_kind_of_stored_document_has_a_file() -> None:
    """Payments, their published versions, calls, and our own records of the log."""
    assert {file.stem.partition("-")[0] for file in FILES} == set(AGAIN)
    commands = {json.loads(f.read_bytes())["type"] for f in FILES if f.stem.startswith("command")}
    assert commands == {"create", "confirm", "capture", "cancel", "refund", "release"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_stored_payment_has_the_same_view(number: int) -> None:
    """Its snapshot is what its release published for it.

    The second is from before a report of a capture said who captured. It was ours if we had asked
    for this amount, so the refund of the rest was given back.
    """
    payment = decode_payment((STORED / f"payment-{number}.json").read_bytes())
    published = (STORED / f"snapshot-{number}.json").read_bytes()
    assert _kept(json.loads(published), json.loads(encode_snapshot(snapshot(payment))))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_term_of_a_later_release_is_left_out_where_there_is_none(number: int) -> None:
    """So a payment of before has the same document and snapshot, to the byte, as it had."""
    stored = (STORED / f"payment-{number}.json").read_bytes()
    payment = decode_payment(stored)
    for text in (encode_payment(payment).encode(), encode_snapshot(snapshot(payment))):
        assert (b"order_reference" in text) is (b"order_reference" in stored)


@pytest.mark.parametrize(
    ("kind", "text"),
    [(Payment, "payment-1.json"), (ProviderCall, "call-1.json")],
)
def test_a_field_without_a_default_is_noticed(kind: type[msgspec.Struct], text: str) -> None:
    """A stored document without it would be unreadable, and its payment quarantined."""
    grown = msgspec.defstruct("Grown", [("new", str)], bases=(kind,), kw_only=True)
    with pytest.raises(msgspec.ValidationError, match="new"):
        msgspec.json.decode((STORED / text).read_bytes(), type=grown)
