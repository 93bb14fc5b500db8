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
        "a refund whose metadata names another payment is never known to its own",
        (_MISROUTED.format("the_payment_whose_object_it_is_gets_it"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._take",
        "and not isinstance(row.received.input.body, CallResult)",
        "",
        "what our own call came to is sent to another payment",
        (_MISROUTED.format("the_answer_of_a_call_is_routed_nowhere"),),
        servers=True,
    ),
    Bug(
        "domain",
        "domain.facts.refunds:refund_id_in_key",
        "key.payment_id != payment_id",
        "False",
        "a refund that another payment's call made is taken for ours of the same ID",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:proven_refunds",
        "and refund.ref not in taken",
        "",
        "one refund of the provider's counts for two of ours: more is refunded than is left",
        (_COMMANDS.format("a_refund_that_one_call_returned_is_not_another_calls"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:reserved_amount",
        "if r.refusal is None and",
        "if",
        "a refund that the provider refused holds its money for ever",
        (_CALLS.format("a_refused_refund_has_the_providers_reason_and_reserves_no_money"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:reserved_amount",
        "refs.get(r.id) not in known",
        "r.id not in refs",
        "a refund that was answered and has no event yet holds no money: too much is refunded",
        (_COMMANDS.format("an_acknowledged_refund_reserves_its_amount"),),
    ),
    Bug(
        "domain",
        "domain.on_command:_refund",
        "if command.amount is None and",
        "if False and",
        "a refund of all that is left gives back too little while an answer is awaited",
        (_AWAITED,),
    ),
    Bug(
        "domain",
        "domain.on_result:_acknowledged_refund",
        "made.amount != requested.amount",
        "made.amount > asked.amount",
        "an answer that names a smaller refund is accepted, and the rest never given back",
        (_COMMANDS.format("a_result_that_names_a_refund_of_another_amount_is_a_conflict"),),
    ),
    Bug(
        "domain",
        "domain.limits:exceeded",
        "count > limit.most and",
        "count >= limit.most and",
        "the last of as many as there may be is refused",
        (_LIMITS.format("one_too_many_changes_nothing_and_names_the_limit"),),
    ),
    Bug(
        "domain",
        "domain.decide:decide",
        "Outcome.REJECTED if is_command else Outcome.QUARANTINED",
        "Outcome.REJECTED",
        "what a provider says beyond a limit is dropped instead of kept for an operator",
        (_LIMITS.format("one_too_many_changes_nothing_and_names_the_limit"),),
    ),
    Bug(
        "providers",
        "providers.stripe.client:StripeApi._find_refund",
        'and item.get("created", since) >= since',
        "",
        "a refund that somebody made under our ID beforehand is taken for the one we made",
        (_LOOK_UP.format("a_refund_older_than_our_call_is_not_it"),),
    ),
    Bug(
        "ops",
        "processor.ops.table_invariants:_quarantines",
        "row is None or row[0] != payment_id",
        "row is None",
        "the audit does not see a payment that is quarantined for another payment's event",
        (_TABLES.format("what_is_wrong_is_reported"),),
    ),
)  # fmt: skip
