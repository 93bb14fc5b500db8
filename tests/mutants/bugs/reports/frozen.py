"""Bugs in keeping the requests of provider calls."""

from typing import Final

from tests.mutants.planted import Bug

_DISPATCHER: Final = "tests/processor/worker/test_dispatcher.py::test_{}"
_CONFORMANCE: Final = "tests/conformance/test_calls.py::test_{}"

BUGS: Final = (
    Bug(
        "worker",
        "processor.worker.calls.dispatcher:Dispatcher._attempt",
        "claimed.sent or client.prepare(claimed.call)",
        "client.prepare(claimed.call)",
        "after an upgrade, a retry is another request under the same key: an error, for 20 hours",
        (_DISPATCHER.format("every_try_under_a_key_sends_what_the_first_one_sent"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:RETRY_WITH_NEW_KEY",
        "key_first_used_at = null, sent = null",
        "key_first_used_at = null",
        "a request that can't work is sent under every new key, whatever the release",
        (_DISPATCHER.format("every_try_under_a_key_sends_what_the_first_one_sent"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.outbox:FINISH",
        "request = null, sent = null",
        "request = null",
        "requests of calls that are done fill the store",
        (_DISPATCHER.format("the_request_is_kept_before_it_is_sent_and_until_the_call_is_done"),),
        servers=True,
    ),
    Bug(
        "providers",
        "providers.stripe.outcomes:outcome_of_error",
        "or isinstance(error, stripe.IdempotencyError)",
        "",
        "a key that was used for another request is retried for 20 hours",
        (_CONFORMANCE.format("a_key_used_for_another_request_is_unknown"),),
    ),
    Bug(
        "providers",
        "providers.examplepay.outcomes:outcome_of_response",
        "fault is not None and fault.fault == _KEY_REUSED",
        "False",
        "a key that was used for another request is retried for 20 hours",
        (_CONFORMANCE.format("a_key_used_for_another_request_is_unknown"),),
    ),
    Bug(
        "providers",
        "providers.stripe.client:StripeApi.call",
        "request or self.prepare(call)",
        "self.prepare(call)",
        "a retry after an upgrade is another request under the same key",
        (_CONFORMANCE.format("a_kept_request_is_sent_as_it_was_prepared"),),
    ),
)
