"""Bugs of the ingress."""

from typing import Final

from tests.mutants.planted import Bug

_CLAIMS: Final = "tests/ingress/test_claims.py::test_{}"
_CURSORS: Final = "tests/ingress/test_cursors.py::test_{}"
_MEMORY: Final = "tests/ingress/test_memory.py::test_{}"
_READS: Final = "tests/ingress/test_reads.py::test_{}"
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
    Bug(
        "ingress",
        "ingress.idempotency:OperationMemory.keep",
        "self._operations.popitem(last=False)",
        "self._operations.popitem()",
        "once the memory is full the newest operation is forgotten at once",
        (_MEMORY.format("the_oldest_is_forgotten_first"),),
    ),
    Bug(
        "ingress",
        "ingress.idempotency:OperationMemory.find",
        "self._operations.move_to_end(operation_id)",
        "str(known)",
        "an operation in use is forgotten before one that is not",
        (_MEMORY.format("what_is_asked_for_counts_as_new"),),
    ),
    Bug(
        "ingress",
        "ingress.idempotency:OperationMemory.forget",
        "not known.accepted and",
        "",
        "a request that failed makes an accepted twin be forgotten",
        (_MEMORY.format("what_was_accepted_is_not_forgotten_by_a_twin_that_failed"),),
    ),
    Bug(
        "ingress",
        "ingress.idempotency:OperationMemory.forget",
        "and self._operations.get(operation_id) is known",
        "",
        "forgetting twice raises KeyError: a 500 instead of a 503",
        (_MEMORY.format("what_was_accepted_is_not_forgotten_by_a_twin_that_failed"),),
    ),
    Bug(
        "ingress",
        "ingress.cursors:decode",
        "in_utc and",
        "",
        "a cursor without a time zone is an error of ours instead of a 400",
        (_CURSORS.format("a_forged_cursor_never_reaches_the_store"),),
    ),
    Bug(
        "ingress",
        "ingress.cursors:decode",
        "and encode(position) == cursor",
        "",
        "a cursor that was made up is believed",
        (_CURSORS.format("a_forged_cursor_never_reaches_the_store"),),
    ),
    Bug(
        "ingress",
        "ingress.intake:Intake.accept",
        "known.event_id != operation.event_id",
        "False",
        "another body under a used key is accepted",
        (_CLAIMS.format("the_store_corrects_what_was_believed"),),
    ),
    Bug(
        "ingress",
        "ingress.intake:Intake._claim",
        "stored.received_at",
        "now",
        "a retry after a restart is answered with another expires_at",
        (_READS.format("a_replay_from_the_store_has_the_first_times"),),
        servers=True,
    ),
)
