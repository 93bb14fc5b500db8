"""Every command has one answer: what the audit finds where one is missing, or two differ."""

from typing import Final

import pytest
from msgspec.structs import replace

from domain.inputs import Command
from postgres.documents import encode_payment
from processor.ops.decoded import decode
from processor.ops.operation_invariants import Answers, OperationEvidence, unanswered
from schemas.identity import public_operation_id
from tests.domain.histories.builders import PAYMENT, acknowledged, capture, create, received
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS


def _id(command: Command) -> str:
    return public_operation_id(PAYMENT, received(command).event_id)


def _documents(*more: Command) -> dict[str, str]:
    bodies = (*SITUATIONS["authorized"], *more)
    return {PAYMENT: encode_payment(Replay([received(body) for body in bodies]).existing)}


CREATE: Final = _id(create(capture_method="manual"))
CAPTURE: Final = _id(capture())
NOT_HERE: Final = OperationEvidence(
    operation_id="op_x", payment_id="pay_x", status="rejected", digest=b"x"
)
DONE: Final = OperationEvidence(
    operation_id=CREATE, payment_id=PAYMENT, status="done", digest=b"done"
)
APPLIED: Final = OperationEvidence(
    operation_id=CAPTURE, payment_id=PAYMENT, status="applied", digest=b"applied"
)
#: A payment that was created, and whose capture is under way; a command for no payment.
GOOD: Final = Answers(
    stored={CREATE: DONE, CAPTURE: APPLIED, "op_x": NOT_HERE},
    published={
        CREATE: [("applied", b"a"), ("done", b"done"), ("applied", b"a")],
        CAPTURE: [("applied", b"applied")],
        "op_x": [("rejected", b"x")],
    },
    commands={CREATE: "applied", CAPTURE: "applied", "op_x": "rejected"},
)


def _changed(row: OperationEvidence, **changes: object) -> Answers:
    return replace(GOOD, stored={**GOOD.stored, row.operation_id: replace(row, **changes)})


def _found(answers: Answers) -> list[str]:
    return list(unanswered(decode(_documents(capture())), answers))


def _without(operation_id: str) -> dict[str, OperationEvidence]:
    return {id_: row for id_, row in GOOD.stored.items() if id_ != operation_id}


def test_answers_that_agree_are_no_violation() -> None:
    """A publication may be repeated after a later one, and an end may come before its applied."""
    assert _found(GOOD) == []
    assert list(unanswered({}, Answers())) == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (replace(GOOD, stored=_without("op_x")), "op_x has no answer, its command was rejected"),
        (replace(GOOD, stored=_without(CAPTURE)), f"{CAPTURE} is open, and not stored"),
        (_changed(DONE, status="rejected"), f"{CREATE} is rejected, its command was applied"),
        (_changed(DONE, status="applied"), f"{CREATE} is applied, its payment says open: False"),
        (_changed(APPLIED, status="done"), f"{CAPTURE} is done, its payment says open: True"),
        (_changed(NOT_HERE, status="done"), "op_x is done, and pay_x does not exist"),
        (_changed(DONE, digest=b"other"), f"{CREATE} is done, its last record says done"),
        (replace(GOOD, published={}), "op_x is rejected, and was never published"),
        (
            replace(GOOD, published={"op_x": [("rejected", b"x"), ("done", b"y")]}),
            "op_x was published as done and as rejected",
        ),
        (
            replace(GOOD, published={"op_x": [("applied", b"y"), ("rejected", b"x")]}),
            "op_x was published as applied and as rejected",
        ),
    ],
)
def test_what_is_missing_or_differs_is_reported(answers: Answers, said: str) -> None:
    """With the operation's ID, and what both say."""
    assert said in _found(answers)


def test_what_is_just_being_published_is_no_violation() -> None:
    """Nor is what has left the topic: then nothing is due."""
    young = {id_: replace(row, is_due=False) for id_, row in GOOD.stored.items()}
    assert _found(replace(GOOD, stored=young, published={})) == []


def test_an_ended_operation_is_open_no_more() -> None:
    """The document and the table end it together."""
    replay = Replay([received(body) for body in (*SITUATIONS["authorized"], capture())])
    replay.deliver(received(acknowledged("capture:1")))
    documents = decode({PAYMENT: encode_payment(replay.existing)})
    found = list(unanswered(documents, GOOD))
    assert found == [f"{CAPTURE} is applied, its payment says open: False"]
