"""Bugs in what is left to refund, and in which refund is the one that was asked for."""

from typing import Final

from tests.mutants.planted import Bug

_EVERY_ORDER: Final = (
    "tests/domain/test_histories.py::test_every_possible_order_ends_in_the_same_state[{}]"
)
_EVERY_STATE: Final = (
    "tests/checker/test_search.py::test_every_state_and_every_end_is_the_oracles[{}]"
)
_GUARDS: Final = "tests/processor/decisions/test_fold_guards.py::test_{}"
_TOTALS: Final = "tests/domain/facts/test_totals.py::test_{}"

BUGS: Final = (
    Bug(
        "domain",
        "domain.facts.refunds:proven_refunds",
        "break",
        "continue",
        "one refund proves two of ours, so that more is refunded than is left",
        (
            _EVERY_ORDER.format(
                "one refund of ours is changed under the key of another of the same amount"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:_echoed",
        "reported, given_back)",
        "reported, payment.provider_refunds)",
        "a named release takes the room of our own refund in a total: too little can be refunded",
        (
            _EVERY_ORDER.format(
                "somebody captures a part, and our own answered refund is in a total with the "
                "named rest"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:unproven_refund",
        "- refs.keys()",
        "",
        "a refund of all is rejected for ever once a total has the key of an answered one",
        (
            _EVERY_ORDER.format(
                "after the answer to our refund in a total, the client refunds all that is left"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.on_command:_refund",
        "if len(asked) == 1",
        "if asked",
        "of two refunds under the key of a refund of all, any one is taken for it",
        (
            _EVERY_STATE.format(
                "two refunds under the key of our refund of all are each all without the other"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.on_command:_may_be_asked_for",
        "and not is_release(payment, made.ref)",
        "",
        "a refund of all is rejected because somebody let go of money under its key",
        (
            _EVERY_ORDER.format(
                "somebody lets go of half under the key of our refund of all that was captured"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.on_command:_may_be_asked_for",
        "0 < made.amount ==",
        "made.amount ==",
        "with nothing left, a refund of all is accepted, of nothing",
        (
            _EVERY_STATE.format(
                "nothing is left, and somebody has refunded nothing under the key of our refund "
                "of all"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_on_total",
        "range_with(payment, fact)",
        "range_with(after, fact)",
        "of a payment that an earlier release stored, the first total is lost: it shows a release",
        (
            _TOTALS.format(
                "the_range_of_totals_begins_with_the_one_that_was_stored_without_a_range"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.join:failures",
        "first.setdefault(_code(fact), fact.occurred_at)",
        "first[_code(fact)] = fact.occurred_at",
        "a second failure makes another one of a look at the first: an attempt is lost",
        (
            _EVERY_ORDER.format(
                "a look finds the first failure without its name, before another one of its code"
            ),
        ),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._other_object",
        "if is_result or payment is None:",
        "if payment is None:",
        "the result of a quarantined payment's call is refused before anybody can look into it",
        (_GUARDS.format("a_quarantined_payments_result_waits_whatever_object_it_names"),),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_let_go",
        "if has_no_release(payment, rest):",
        "if False:",
        "a total loses a release that an earlier one shows not to exist: too much can be refunded",
        (
            _EVERY_ORDER.format(
                "a total is less than the rest and a later one more than was captured"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_widened",
        "fact.amount == 0 or",
        "",
        "a report that counts nothing makes a refund of the release",
        (
            _EVERY_ORDER.format(
                "somebody captures a part, the rest is named, a total with our key counts nothing"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_not_named",
        "or end.status is not ProviderStatus.SUCCEEDED",
        "",
        "money that was never captured counts as given back",
        (
            _EVERY_ORDER.format(
                "an authorization is cancelled, and a total that has no release in it is reported"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_not_named",
        "if total.may_be_release else 0",
        "",
        "a total without a release loses as much, and too much can be refunded",
        (
            _EVERY_ORDER.format(
                "a total has the rest in it, and the latest one is of a version without releases"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_is_in",
        "and not is_returned",
        "",
        "a refund that was returned hides what was given back later",
        (
            _EVERY_ORDER.format(
                "a refund is returned before the total, which does not have it in it"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_named",
        ", reason=None",
        "",
        "all that was given back is shown with the reason of one refund of many",
        (_TOTALS.format("what_only_a_total_reports_has_no_reason"),),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:echoed",
        "and refund.id not in reported",
        "",
        "somebody's refund of the amount of ours is hidden in a total with our key",
        (
            _EVERY_ORDER.format(
                "our own refund is named, and a total with its key has another one of its amount"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_is_in",
        "min(fact.occurred_at for fact in refund.facts)",
        "max(fact.occurred_at for fact in refund.facts)",
        "a refund that took a while counts twice in a total: too little can be refunded",
        (
            _EVERY_ORDER.format(
                "a refund that does not say when it was made was under way before the total"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_let_go",
        "greatest > end.captured",
        "greatest >= end.captured",
        "of a payment that was given back whole, a part counts as let go: too much can be refunded",
        (
            _EVERY_ORDER.format(
                "somebody captures a part with a later version, and gives exactly that back"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:unnamed",
        "rest > 0",
        "rest > 1",
        "the least amount that was given back is never shown",
        (_EVERY_ORDER.format("somebody gives the least amount back, and only a total says so"),),
    ),
    Bug(
        "domain",
        "domain.facts.disputes:_held",
        "max(0, own) + (",
        "own + (",
        "money that came back in one currency frees disputed money that is out in another",
        (
            _EVERY_ORDER.format(
                "more came back in the payment's currency than had left, and money of another is "
                "out"
            ),
        ),
    ),
)
