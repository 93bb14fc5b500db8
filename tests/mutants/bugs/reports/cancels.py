"""Bugs in deciding who cancelled a payment."""

from typing import Final

from tests.mutants.planted import Bug

_HISTORIES: Final = "tests/domain/test_histories.py::test_{}"
_LOOK_UP: Final = "tests/providers/stripe/access/test_look_up.py::test_{}"
_CONFORMANCE: Final = "tests/conformance/test_calls.py::test_{}"
_AROUND: Final = (
    "tests/providers/stripe/access/test_cancel_look_up.py::"
    "test_the_event_of_a_cancel_is_found_somewhat_before_and_after_it"
)

BUGS: Final = (
    Bug(
        "domain",
        "domain.facts.cancels:cause_of",
        "key.call == str(CallKey.cancel_exhausted(key.payment_id))",
        "str(key) == str(CallKey.cancel_exhausted(key.payment_id))",
        "our own cancel under its second key leaves the payment CANCELED",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.facts.cancels:ended_by_last_cancel",
        "is_answered and not payment.last_cancel_refused",
        "is_answered",
        "a payment that somebody else cancelled is shown as FAILED",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.on_fact:_is_unexplained",
        "and cancels.awaits_answer(payment)",
        "and False",
        "whether it is FAILED depends on whether the event or the answer comes first",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.facts.join:has_cause",
        "fact.names_cause or fact.caused_by is not None",
        "False",
        "a later look-up makes a payment forget that our own cancel ended it",
        (
            "tests/domain/test_join.py::test_a_later_report_of_a_cancel_does_not_replace_the_one_that_names_its_cause",
        ),
    ),
    Bug(
        "domain",
        "domain.facts.waiting:ends_wait",
        "found or (awaits_answer(before) and not awaits_answer(after))",
        "found",
        "a cancel that waits for our own cancel's answer waits for ever",
        (
            "tests/processor/decisions/test_refusals.py::test_a_cancel_without_a_cause_waits_for_the_answer_to_our_own",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_cancel",
        "if is_caused_by(event, call):",
        "if event:",
        "a look-up takes the cancel of somebody else for ours",
        (_CONFORMANCE.format("our_last_cancel_is_refused_if_the_payment_was_final_before"),),
    ),
    Bug(
        "providers",
        "providers.stripe.outcomes:outcome_of_state",
        '"canceled" if is_last_cancel(call)',
        '"canceled" if False',
        "our own cancel is acknowledged though somebody else cancelled before",
        (_CONFORMANCE.format("our_last_cancel_is_refused_if_the_payment_was_final_before"),),
    ),
    Bug(
        "providers",
        "providers.examplepay.client:ExamplePayApi.look_up",
        "if is_last_cancel(call) and is_key_of(payment.void_key, call.key):",
        "if is_last_cancel(call) and payment.void_key:",
        "a look-up takes the void of somebody else for ours",
        (_CONFORMANCE.format("our_last_cancel_is_refused_if_the_payment_was_final_before"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_cancel",
        "is_available=True",
        "is_available=False",
        "a cancel without an event opens the circuit breaker",
        (_LOOK_UP.format("a_cancel_that_no_event_names_stays_unknown"),),
    ),
    Bug(
        "domain",
        "domain.facts.binding:without_foreign_key",
        "key is not None and key.call in payment.calls",
        "key is not None and key.payment_id == payment.id",
        "a key of our own cancel that somebody made up makes a payment FAILED",
        ("tests/domain/facts/test_cancels.py",),
    ),
    Bug(
        "domain",
        "domain.facts.binding:without_foreign_key",
        "key is not None and key.call in payment.calls",
        "fact.caused_by in payment.calls",
        "our own cancel under its second key is taken for somebody else's",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.on_fact:on_payment_fact",
        "fact = without_foreign_key(payment, fact)",
        "",
        "made-up keys fill a payment with facts until it is quarantined",
        ("tests/domain/facts/test_cancels.py",),
    ),
    Bug(
        "domain",
        "domain.on_fact:_is_same_cause",
        "return known is None and by_us is cancels.ended_by_last_cancel(payment)",
        "return known is None",
        "a conflict of two causes of the cancel does not name the report that it contradicts",
        (
            "tests/domain/test_conflicts.py::test_a_cancel_by_somebody_contradicts_the_answer_that_it_was_ours",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_cancel",
        "_about(event) == call.object_id",
        "True",
        "a look-up takes the cancel of another payment for this one's",
        (_LOOK_UP.format("the_cancel_of_another_payment_says_nothing_about_this_one"),),
    ),
    Bug(
        "domain",
        "domain.facts.cancels:cause_of",
        "key.operation is not Operation.CANCEL",
        "False",
        "a cancel that another call of ours is named for counts as the client's",
        ("tests/domain/facts/test_cancels.py",),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_around",
        "second - 1",
        "second",
        "whose cancel it was stays unknown, where its event has an earlier second than the object",
        (_AROUND,),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_around",
        "second + EVENT_WITHIN_S",
        "second",
        "whose cancel it was stays unknown, where its event is a second late",
        (_AROUND,),
    ),
)
