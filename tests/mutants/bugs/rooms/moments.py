"""Bugs that only an unusual moment shows: slow claims, long sweeps, refusals, repeated replays."""

from typing import Final

from tests.mutants.planted import Bug

_BEATS: Final = "tests/runtime/test_beats.py::test_{}"
_CLAIMS: Final = "tests/processor/worker/test_call_claims.py::test_{}"

BUGS: Final = (
    Bug(
        "domain",
        "domain.on_result:_refused",
        "case Operation.CANCEL if name ==",
        "case Operation.CANCEL if payment.status != 'SUCCEEDED' and name ==",
        "whether a cancel is requested depends on whether its refusal or the capture came first",
        (
            "tests/domain/test_any_order.py::test_a_refused_cancel_is_not_requested_whatever_came_first",
        ),
    ),
    Bug(
        "domain",
        "domain.view:failure_of",
        "if last.refusal is not None:",
        "if False:",
        "after a refused confirm, the client sees the failure of the attempt before it",
        ("tests/domain/test_attempts.py::test_a_refused_confirm_shows_why",),
    ),
    Bug(
        "domain",
        "domain.calls:wanted",
        ", return_url=payment.return_url",
        "",
        "the customer of a second attempt can't come back from the bank's page",
        (
            "tests/domain/test_calls.py::test_a_confirm_names_the_object_the_payment_method_and_the_return_url",
        ),
    ),
    Bug(
        "sql",
        "postgres.batch.statements:HURRY_CALLS",
        "least(next_attempt_at, %s)",
        "%s",
        "events that prove nothing postpone a call that is due already",
        (_CLAIMS.format("an_unproved_event_never_postpones_a_call"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.calls.dispatcher:Dispatcher.claim_and_start",
        "self._run_call(item, since)",
        "self._run_call(item, asyncio.get_running_loop().time())",
        "after a slow claim, two workers make the same call at once",
        (_CLAIMS.format("a_lease_begins_before_the_claim"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.retention:Retention.sweep",
        "self._heartbeat.beat() self._metrics.history_deleted",
        "self._metrics.history_deleted",
        "the deletion of much history counts as a hang, and starts again and again",
        (_BEATS.format("each_chunk_of_deleted_history_is_a_beat"),),
    ),
    Bug(
        "worker",
        "processor.worker.retention:Retention.sweep",
        "self._heartbeat.beat() self._metrics.parked_expired",
        "self._metrics.parked_expired",
        "the expiry of many parked inputs counts as a hang, and starts again and again",
        (_BEATS.format("each_chunk_of_deleted_history_is_a_beat"),),
    ),
    Bug(
        "worker",
        "processor.worker.router:Router.route",
        "self._heartbeat.beat()",
        "pass",
        "a batch with a defect counts as a hang, and is read again and again",
        (_BEATS.format("each_record_that_is_routed_on_its_own_is_a_beat"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.sweep:Pace.pause",
        "turn.step(rest_s)",
        "turn.step()",
        "at a slow rate, the pauses of a sweep count as a hang",
        (_BEATS.format("a_pause_between_two_requests_is_no_silence"),),
    ),
    Bug(
        "sql",
        "postgres.ops.operator:NOTE_REPLAYED",
        "do update set replayed_at = excluded.replayed_at",
        "do nothing",
        "a dead letter that was sent a second time shows the first time",
        (
            "tests/processor/postgres/test_dead_letter_replays.py::test_the_last_replay_of_a_dead_letter_counts",
        ),
        servers=True,
    ),
    Bug(
        "messaging",
        "messaging.producer:Producer._failure",
        "if not error.retriable:",
        "if True:",
        "a temporary error of one partition closes the producer of all others",
        ("tests/messaging/test_producer.py::test_a_temporary_error_does_not_replace_the_producer",),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.calls.dispatcher:Dispatcher._renew",
        "self._clock() + self._lease",
        "self._clock()",
        "a call that takes longer than a third of its lease is made by another worker too",
        (
            "tests/processor/worker/test_call_claims.py::test_a_call_in_flight_is_not_claimed_again_after_its_first_lease",
        ),
        servers=True,
    ),
)
