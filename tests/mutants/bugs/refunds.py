"""Bugs of refunds: matching with the provider's, limits of amounts, checks."""

from typing import Final

from tests.mutants.planted import Bug

_CALLS: Final = "tests/domain/test_calls.py::test_{}"
_COMMANDS: Final = "tests/domain/test_commands.py::test_{}"
_HISTORIES: Final = "tests/domain/test_histories.py::test_{}"
_LIMITS: Final = "tests/domain/test_limits.py::test_{}"
_LOOK_UP: Final = "tests/providers/stripe/access/test_look_up.py::test_{}"
_TABLES: Final = "tests/processor/ops/test_table_invariants.py::test_{}"
_AWAITED: Final = _COMMANDS.format(
    "an_unproven_refund_counts_in_addition_until_the_response_decides"
)

_MISROUTED: Final = "tests/processor/decisions/test_misrouted.py::test_{}"

BUGS: Final = (
    Bug(
        "stream",
        "decisions.fold:_is_misrouted",
        "decision.outcome is not Outcome.CONFLICT or not decision.refused",
        "'belongs to another' not in decision.reason",
        "a webhook that names another payment is lost where its object is not known yet",
        (
            _MISROUTED.format(
                "a_payment_gets_what_named_another_one_before_its_object_was_known"
            ),
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._other_object",
        "payment.id not in self._quarantined and payment.id not in self._poisoned",
        "True",
        "a quarantine keeps a webhook from the payment that comes to have its object",
        (
            _MISROUTED.format(
                "a_quarantine_keeps_nothing_from_a_payment_that_comes_to_have_the_object"
            ),
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "postgres.batch.transaction:as_unrouted",
        "caused_by if caused_by != received.payment_id else None",
        "None",
        "the proof of a payment's object waits until the object is known",
        (
            _MISROUTED.format(
                "what_names_another_payment_goes_to_the_payment_whose_call_it_echoes"
            ),
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.history:give_up_parked",
        "statement.encode(), values",
        "'select 1 where false'",
        "a webhook that waited for a payment that never came is lost to the one with its object",
        (
            _MISROUTED.format(
                "what_waited_for_another_payment_is_sent_on_before_it_is_given_up"
            ),
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.history:SENDING_ON",
        "i.outcome = 'quarantined'",
        "i.outcome = 'parked'",
        "a payment's quarantine keeps another one's event for good",
        (
            _MISROUTED.format(
                "what_quarantined_another_payment_is_sent_on_before_it_is_forgotten"
            ),
        ),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.router:Router._ended",
        "return in_vain.ended(webhook, NEVER_OURS)",
        "return in_vain.ended(webhook, NOT_OURS)",
        "a webhook that named another payment is said to name none",
        (_MISROUTED.format("what_no_payment_ever_has_the_object_of_is_forgotten"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.router:Router._ended",
        "case Owned(kind=kind) if webhook.event_id == webhook.headers[headers.EVENT_ID]:",
        "case Owned(kind=kind) if False:",
        "a webhook that echoes a call of the payment that refuses it goes there again and again",
        (_MISROUTED.format("what_echoes_a_call_of_the_payment_that_refused_it_ends"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.router:Router._ended",
        "case Owned(kind=kind) if webhook.event_id == webhook.headers[headers.EVENT_ID]:",
        "case Owned(kind=kind):",
        "what could not be read at first never reaches the payment whose call it echoes",
        (
            "tests/processor/worker/routing/test_router_renderings.py::test_what_can_be_read_only_now_goes_to_the_payment_whose_call_it_echoes",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._take",
        "self._plan.misrouted.append(row.received)",
        "pass",
        "a refund whose metadata names another payment never reaches its own",
        (_MISROUTED.format("the_payment_that_owns_the_object_gets_the_webhook"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_is_misrouted",
        "not isinstance(received.input.body, CallResult)",
        "True",
        "a call's result is sent to another payment",
        (_MISROUTED.format("a_result_with_another_payments_object_is_not_routed"),),
        servers=True,
    ),
    Bug(
        "domain",
        "domain.facts.refunds:refund_id_in_key",
        "key.payment_id != payment_id",
        "False",
        "another payment's refund counts as the requested one with the same ID",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:proven_refunds",
        "if refund.ref in taken:",
        "if False:",
        "one refund of the provider matches two requested ones: more is refunded than is left",
        (_COMMANDS.format("a_refund_that_one_call_returned_is_not_another_calls"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:proven_refunds",
        "and (refund_id, refund.amount) in requested",
        "and refund_id in {each for each, _ in requested}",
        "somebody else's refund under our key is taken for the requested one, of another amount",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refund_contradiction",
        "if refund.provider_ref == fact.ref and fact.amount",
        "if fact.caused_by == f'{payment.id}:refund:{refund.id}' and fact.amount",
        "somebody else's refund under our key is a conflict, and what it gave back is hidden",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:reserved_amount",
        "if r.refusal is None and",
        "if",
        "a refund that the provider refused reserves its money for ever",
        (_CALLS.format("a_refused_refund_has_the_providers_reason_and_reserves_no_money"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:reserved_amount",
        "refs.get(r.id) not in known",
        "r.id not in refs",
        "an acknowledged refund without an event reserves no money: too much is refunded",
        (_COMMANDS.format("an_acknowledged_refund_reserves_its_amount"),),
    ),
    Bug(
        "domain",
        "domain.on_command:_refund",
        "if command.amount == ALL and (",
        "if False and (",
        "a refund of the rest gives back too little while a result is awaited",
        (_AWAITED,),
    ),
    Bug(
        "domain",
        "domain.on_result:_acknowledged_refund",
        "made.amount != requested.amount",
        "made.amount > asked.amount",
        "a result with a smaller refund is accepted, and the rest is never given back",
        (_COMMANDS.format("a_result_that_names_a_refund_of_another_amount_is_a_conflict"),),
    ),
    Bug(
        "domain",
        "domain.limits:exceeded",
        "count > limit.most and",
        "count >= limit.most and",
        "the last item within the limit is refused",
        (_LIMITS.format("one_too_many_changes_nothing_and_names_the_limit"),),
    ),
    Bug(
        "domain",
        "domain.decide:_within_limits",
        "unchanged(payment, Outcome.QUARANTINED, why)",
        "unchanged(payment, Outcome.REJECTED, why)",
        "a provider's report beyond a limit is rejected instead of quarantined",
        (_LIMITS.format("one_too_many_changes_nothing_and_names_the_limit"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_may_be_made",
        "and is_of_a_try",
        "",
        "an older refund with our ID in its metadata counts as the one we made",
        (_LOOK_UP.format("a_refund_of_no_time_of_our_call_is_not_found"),),
    ),
    Bug(
        "ops",
        "processor.ops.table_invariants:_quarantines",
        "row is not None and row[0] == payment_id",
        "row is not None",
        "the audit does not see a payment that is quarantined for another payment's event",
        (_TABLES.format("a_violation_is_reported"),),
    ),
    Bug(
        "ops",
        "processor.ops.table_invariants:_quarantines",
        "and (payment_id, event_id) not in apart",
        "",
        "each payment that waits for its release violates S11",
        (_TABLES.format("a_quarantine_names_an_event_that_waits_under_its_records_id"),),
    ),
)  # fmt: skip
