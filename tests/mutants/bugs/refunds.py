"""Bugs of refunds: matching with the provider's, limits of amounts, checks."""

from typing import Final

from tests.mutants.planted import Bug

_CALLS: Final = "tests/domain/test_calls.py::test_{}"
_COMMANDS: Final = "tests/domain/test_commands.py::test_{}"
_HISTORIES: Final = "tests/domain/test_histories.py::test_{}"
_LIMITS: Final = "tests/domain/test_limits.py::test_{}"
_LOOK_UP: Final = "tests/providers/stripe/test_look_up.py::test_{}"
_TABLES: Final = "tests/processor/ops/test_table_invariants.py::test_{}"
_AWAITED: Final = _COMMANDS.format(
    "an_unproven_refund_counts_in_addition_until_the_response_decides"
)

_MISROUTED: Final = "tests/processor/decisions/test_misrouted.py::test_{}"

BUGS: Final = (
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
        "decisions.fold:_Fold._take",
        "and not isinstance(row.received.input.body, CallResult)",
        "",
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
        "and refund.ref not in taken",
        "",
        "one refund of the provider matches two requested ones: more is refunded than is left",
        (_COMMANDS.format("a_refund_that_one_call_returned_is_not_another_calls"),),
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
        "if command.amount is None and",
        "if False and",
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
        "domain.decide:decide",
        "Outcome.REJECTED if is_command else Outcome.QUARANTINED",
        "Outcome.REJECTED",
        "a provider's report beyond a limit is rejected instead of quarantined",
        (_LIMITS.format("one_too_many_changes_nothing_and_names_the_limit"),),
    ),
    Bug(
        "providers",
        "providers.stripe.client:StripeApi._find_refund",
        'and item.get("created", since) >= since',
        "",
        "an older refund with our ID in its metadata counts as the one we made",
        (_LOOK_UP.format("a_refund_older_than_our_call_is_not_found"),),
    ),
    Bug(
        "ops",
        "processor.ops.table_invariants:_quarantines",
        "row is None or row[0] != payment_id",
        "row is None",
        "the audit does not see a payment that is quarantined for another payment's event",
        (_TABLES.format("a_violation_is_reported"),),
    ),
)  # fmt: skip
