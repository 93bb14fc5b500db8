"""Bugs of the ingress."""

from typing import Final

from tests.mutants.planted import Bug

_REQUESTS: Final = "tests/ingress/test_requests.py::test_{}"

BUGS: Final = (
    Bug(
        "ingress",
        "ingress.idempotency:idempotency_key",
        "len(sent) > 1",
        "len(sent) > 2",
        "of two Idempotency-Key headers one is chosen silently",
        (_REQUESTS.format("one_request_has_one_key"),),
    ),
    Bug(
        "ingress",
        "ingress.idempotency:idempotency_key",
        "1 <= len(key) <= MAX_KEY_LENGTH",
        "0 <= len(key) <= MAX_KEY_LENGTH",
        "all clients that send an empty key share one payment",
        (_REQUESTS.format("a_key_is_1_to_255_printable_characters"),),
    ),
)
