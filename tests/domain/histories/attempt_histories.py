"""Several attempts of one payment, some in one second: each row is a history and its end."""

from typing import Final

from domain.inputs import Failure
from domain.status import CancelCause, ProviderStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    canceled,
    confirm,
    create,
    failed,
    key,
    payment_fact,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning

_OPEN, _PENDING = ProviderStatus.OPEN, ProviderStatus.PENDING
_ACTION_NEEDED, _AUTHORIZED = ProviderStatus.ACTION_NEEDED, ProviderStatus.AUTHORIZED
_SUCCEEDED = ProviderStatus.SUCCEEDED
_ACKNOWLEDGED = Reported(acknowledged(), needs="create")
_PAID = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)
_HELD = Meaning(Status.AUTHORIZED, authorized=1000)


def _attempt_fact(call: str, status: ProviderStatus, second: int, event_id: str) -> Reported:
    """A fact about an attempt; it names the call that started the attempt."""
    needs = "" if call == "create" else call
    return Reported(
        payment_fact(status, second, caused_by=key(call), event_id=event_id), needs=needs
    )


ATTEMPT_HISTORIES: Final = (
    History(
        "an attempt fails, and somebody clears its error at the provider",
        create(max_attempts=2),
        (
            _attempt_fact("create", _OPEN, 1, "evt_created"),
            Reported(failed("at_1", 2)),
            Reported(payment_fact(_OPEN, 60, event_id="obj_1.looked_at")),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "an attempt fails, its error is cleared, and the next one is under way",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2)),
            Reported(payment_fact(_OPEN, 60, event_id="obj_1.looked_at")),
            confirm(),
            _attempt_fact("confirm:2", _OPEN, 61, "evt_opened"),
        ),
        Meaning(Status.PROCESSING),
    ),
    History(
        "the customer of a failed payment begins to act, and somebody takes that back",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2)),
            Reported(payment_fact(_ACTION_NEEDED, 5)),
            Reported(payment_fact(_OPEN, 60)),
            confirm(),
            Reported(payment_fact(_SUCCEEDED, 90), needs="confirm:2"),
        ),
        _PAID,
    ),
    History(
        "the only attempt fails, its error is cleared, and we cancel",
        create(),
        (
            Reported(failed("at_1", 2)),
            Reported(payment_fact(_OPEN, 60)),
            Reported(acknowledged("cancel:exhausted"), needs="cancel:exhausted"),
            Reported(canceled(90, None), needs="cancel:exhausted"),
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "two attempts fail and the third succeeds, all in one second",
        create(max_attempts=3),
        (
            _attempt_fact("create", _PENDING, 2, "evt_first"),
            Reported(failed("at_1", 2, caused_by=key("create"), event_id="evt_failed_first")),
            confirm(),
            _attempt_fact("confirm:2", _PENDING, 2, "evt_second"),
            Reported(
                failed("at_2", 2, caused_by=key("confirm:2"), event_id="evt_failed_second"),
                needs="confirm:2",
            ),
            confirm("op_confirm_again"),
            _attempt_fact("confirm:3", _PENDING, 2, "evt_third"),
            Reported(payment_fact(_SUCCEEDED, 2), needs="confirm:3"),
        ),
        _PAID,
    ),
    History(
        "two attempts fail in one second, in the third the customer has to act",
        create(max_attempts=3),
        (
            _attempt_fact("create", _ACTION_NEEDED, 2, "evt_first"),
            Reported(failed("at_1", 2, event_id="evt_failed_first")),
            confirm(),
            _attempt_fact("confirm:2", _PENDING, 2, "evt_second"),
            Reported(failed("at_2", 2, event_id="evt_failed_second"), needs="confirm:2"),
            confirm("op_confirm_again"),
            _attempt_fact("confirm:3", _ACTION_NEEDED, 2, "evt_third"),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "all three attempts fail, and the provider cancels as we ask",
        create(max_attempts=3),
        (
            Reported(payment_fact(_OPEN, 1)),
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(failed("at_2", 8), needs="confirm:2"),
            Reported(failed("at_2", 9, event_id="obj_1.looked_at"), needs="confirm:2"),
            confirm("op_confirm_again"),
            Reported(failed("at_3", 14), needs="confirm:3"),
            Reported(acknowledged("cancel:exhausted"), needs="cancel:exhausted"),
            Reported(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "an authorization fails; in the next attempt the customer acts, and the money is held",
        create(capture_method="manual", max_attempts=2),
        (
            _attempt_fact("create", _AUTHORIZED, 2, "evt_held"),
            Reported(failed("at_1", 5)),
            confirm(),
            _attempt_fact("confirm:2", _AUTHORIZED, 8, "evt_held_again"),
            _attempt_fact("confirm:2", _ACTION_NEEDED, 7, "evt_asks"),
        ),
        _HELD,
    ),
    History(
        "the bank takes the authorization back in the second it was given",
        create(capture_method="manual", max_attempts=2),
        (
            _attempt_fact("create", _AUTHORIZED, 2, "evt_held"),
            Reported(failed("at_1", 2)),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "the bank takes the last authorization back in the second it was given",
        create(capture_method="manual", max_attempts=2),
        (
            _attempt_fact("create", _AUTHORIZED, 2, "evt_held"),
            Reported(failed("at_1", 5)),
            confirm(),
            _attempt_fact("confirm:2", _AUTHORIZED, 8, "evt_held_again"),
            Reported(failed("at_2", 8, event_id="evt_taken_back"), needs="confirm:2"),
            Reported(acknowledged("cancel:exhausted"), needs="cancel:exhausted"),
            Reported(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "an attempt fails and the next one's money is held, all in one second",
        create(capture_method="manual", max_attempts=2),
        (
            _attempt_fact("create", _AUTHORIZED, 2, "evt_held"),
            Reported(failed("at_1", 2)),
            confirm(),
            _attempt_fact("confirm:2", _AUTHORIZED, 2, "evt_held_again"),
        ),
        _HELD,
    ),
    History(
        "after the first failure the provider cancels on its own",
        create(max_attempts=3),
        (
            Reported(payment_fact(_OPEN, 1)),
            Reported(failed("at_1", 2)),
            Reported(canceled(90, CancelCause.PROVIDER)),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "after the first failure the customer has to act again, without a confirm",
        create(max_attempts=3),
        (
            Reported(failed("at_1", 2)),
            Reported(payment_fact(_ACTION_NEEDED, 5)),
            Reported(failed("at_2", 3)),
            confirm(),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "in the second of a failure, another payment's call starts no attempt",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2)),
            Reported(payment_fact(_PENDING, 2, caused_by="pay_another:confirm:9")),
            Reported(
                payment_fact(_PENDING, 2, caused_by="pay_another:confirm:9.1", event_id="evt_again")
            ),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "a failure without a name is reported by a webhook and twice by a look",
        create(max_attempts=2),
        (
            Reported(failed(None, 2)),
            Reported(failed(None, 9, event_id="obj_1.looked_at")),
            Reported(failed(None, 30, event_id="obj_1.looked_at_again")),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "a failure is named by our call in the webhook, and a look names nothing",
        create(max_attempts=2),
        (
            Reported(failed(None, 2, caused_by=key("create"))),
            Reported(failed(None, 9, event_id="obj_1.looked_at")),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "two failures without a name, of two calls of ours, are two",
        create(max_attempts=2),
        (
            Reported(failed(None, 2, caused_by=key("create"))),
            confirm(),
            Reported(failed(None, 5, caused_by=key("confirm:2.1")), needs="confirm:2"),
            Reported(acknowledged("cancel:exhausted"), needs="cancel:exhausted"),
            Reported(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "two failures without a name, of two codes, are two",
        create(max_attempts=3),
        (
            Reported(failed(None, 2)),
            confirm(),
            Reported(
                failed(None, 5, failure=Failure("expired_card", "it has expired")),
                needs="confirm:2",
            ),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "in the second of a failure, a call that we never made starts no attempt",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2)),
            Reported(payment_fact(_PENDING, 2, caused_by=key("confirm:9"))),
            Reported(payment_fact(_ACTION_NEEDED, 2, caused_by=key("confirm:8.1"))),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "the next attempt's call is repeated under a new key, in the second of a failure",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(
                payment_fact(
                    _ACTION_NEEDED, 2, caused_by=f"{key('confirm:2')}.1", event_id="evt_asks"
                ),
                needs="confirm:2",
            ),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "a look finds the first failure without its name, before another one of its code",
        create(max_attempts=3),
        (
            Reported(failed("at_1", 2)),
            Reported(failed(None, 5, event_id="obj_1.looked_at")),
            confirm(),
            Reported(failed("at_2", 9), needs="confirm:2"),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "a failure is reported by our call alone, and by its name and our call",
        create(max_attempts=2),
        (
            Reported(failed(None, 3, caused_by=key("create"))),
            Reported(failed("at_1", 2, caused_by=key("create.1"))),
            Reported(failed("at_1", 9, event_id="obj_1.looked_at")),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "a failure is reported by our call alone, and looks find its name, then also our call",
        create(max_attempts=2),
        (
            Reported(failed(None, 2, caused_by=key("create"))),
            Reported(failed("at_1", 2, event_id="obj_1.looked_at")),
            Reported(failed("at_1", 8, caused_by=key("create"), event_id="evt_late")),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "of two failures the first has our call alone, the second a name and then our call",
        create(max_attempts=2),
        (
            Reported(failed(None, 2, caused_by=key("create"))),
            confirm(),
            Reported(failed("at_2", 8, event_id="obj_1.looked_at"), needs="confirm:2"),
            Reported(failed("at_2", 9, caused_by=key("confirm:2")), needs="confirm:2"),
            Reported(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "of two failures the first has a name alone, the second our call alone",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(failed(None, 5, caused_by=key("confirm:2")), needs="confirm:2"),
            Reported(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "of two failures in one second each has our call alone, and a look finds a name",
        create(max_attempts=3),
        (
            Reported(failed(None, 5, caused_by=key("create"), event_id="evt_first")),
            confirm(),
            Reported(
                failed(None, 5, caused_by=key("confirm:2"), event_id="evt_second"),
                needs="confirm:2",
            ),
            Reported(failed("at_2", 9, event_id="obj_1.looked_at"), needs="confirm:2"),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "a look finds the name of a failure that our call alone had, after it went on",
        create(max_attempts=2),
        (
            Reported(failed(None, 2, caused_by=key("create"))),
            Reported(payment_fact(_PENDING, 5)),
            Reported(failed("at_1", 9, event_id="obj_1.looked_at")),
        ),
        Meaning(Status.PROCESSING),
    ),
    History(
        "of two failures of two codes the first has our call alone, the second a name alone",
        create(max_attempts=3),
        (
            Reported(failed(None, 2, caused_by=key("create"))),
            confirm(),
            Reported(
                failed("at_2", 5, failure=Failure("expired_card", "it has expired")),
                needs="confirm:2",
            ),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
)
