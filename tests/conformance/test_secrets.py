"""What is kept of a webhook has no customer's secret and means the same."""

import json
from typing import Any

import pytest

from domain.inputs import DisputeFact, Fact, PaymentFact, RefundFact
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.rows import over_http

pytestmark = over_http

Samples = dict[type[Fact], list[bytes]]


def _texts(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Every text in a JSON value, with the name of its member."""
    if isinstance(value, dict):
        return [each for key, part in value.items() for each in _texts(part, key)]
    if isinstance(value, list):
        return [each for part in value for each in _texts(part, name)]
    return [(name, value)] if isinstance(value, str) else []


@pytest.mark.parametrize("fact", [PaymentFact, RefundFact, DisputeFact])
def test_a_body_without_its_secrets_is_the_same_event(
    kind: type[Adapter], samples: Samples, fact: type[Fact]
) -> None:
    """The fact is the same, no text is new, and what is missing is a secret's."""
    for body in samples[fact]:
        kept = kind.reader(kind.secrets[0]).without_secrets(body)
        assert kind.translator().translate(kept) == kind.translator().translate(body)
        whole, rest = _texts(json.loads(body)), _texts(json.loads(kept))
        assert all("secret" in name for name, text in whole if (name, text) not in rest)
        assert not any("secret" in name for name, _ in rest)
        assert set(rest) <= set(whole)


def test_what_has_no_secret_is_kept_as_it_came(kind: type[Adapter]) -> None:
    """To the byte, also if it is no event at all."""
    reader = kind.reader(kind.secrets[0])
    for body in (kind.payment_event(), b"", b"nonsense \xff\x00", b'{"a": "\\ud800"}'):
        assert reader.without_secrets(body) == body
