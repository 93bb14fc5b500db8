"""Bugs in which of the provider's refunds only let go of an authorization."""

from typing import Final

from tests.mutants.planted import Bug

_EVERY_ORDER: Final = (
    "tests/domain/test_histories.py::test_every_possible_order_ends_in_the_same_state[{}]"
)
_BEYOND: Final = (
    "tests/domain/facts/test_totals.py::"
    "test_nothing_was_let_go_of_a_payment_of_which_more_was_captured_than_authorized"
)

BUGS: Final = (
    Bug(
        "domain",
        "domain.facts.releases:_is_our_capture",
        "and asked.refusal is None",
        "",
        "somebody's capture counts as ours although ours was refused: a release is shown",
        (
            _EVERY_ORDER.format(
                "our capture is refused, somebody captures its amount, and no event says who"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_is_our_capture",
        "and asked.amount == end.captured",
        "",
        "a capture of another amount than we asked for counts as ours",
        (
            _EVERY_ORDER.format(
                "we ask to capture, another amount is captured, and no event says who"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_is_our_capture",
        "fact.status is ProviderStatus.SUCCEEDED and",
        "",
        "who started an attempt decides who captured, so a real refund is hidden",
        (
            _EVERY_ORDER.format(
                "we capture a part, an earlier event names our create, and none says who captured"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_captures",
        "is_automatic and operation in _ATTEMPTS",
        "is_automatic",
        "somebody's capture under the key of our cancel counts as ours",
        (_EVERY_ORDER.format("a capture echoes our cancel of a payment that is captured at once"),),
    ),
    Bug(
        "domain",
        "domain.facts.releases:released_amount",
        "return 0 if",
        "return 1 if",
        "a refund of the least amount is taken for what our own capture let go",
        (_EVERY_ORDER.format("we capture all but the least part, and give that part back"),),
    ),
    Bug(
        "domain",
        "domain.facts.releases:releases",
        "or end.status is not ProviderStatus.SUCCEEDED",
        "",
        "of a cancelled payment, what was let go in parts counts as given back",
        (_EVERY_ORDER.format("an authorization is cancelled, and several refunds are reported"),),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_has_ended_otherwise",
        "any(",
        "all(",
        "a refund that was returned is never shown, as if it were the release",
        (
            _EVERY_ORDER.format(
                "a refund of the amount that was let go succeeds, then fails: it was a real one"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_most_likely_first",
        "is not RefundStatus.SUCCEEDED",
        "is RefundStatus.SUCCEEDED",
        "a refund under way is taken for the release, and the release counts as given back",
        (
            _EVERY_ORDER.format(
                "an older refund of the amount that was let go is under way, the release succeeded"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_most_likely_first",
        "refund.made_at is None",
        "refund.made_at is not None",
        "a refund of unknown age is taken for the release before the one of that second",
        (
            _EVERY_ORDER.format(
                "of two refunds of the amount that was let go, one does not say when it was made"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_is_candidate",
        "refund.may_be_release and",
        "",
        "a refund that is a real one by its form is hidden where a release is named too",
        (
            _EVERY_ORDER.format(
                "an older refund of the amount that was let go is a real one by its form"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.releases:released_amount",
        "max(0, end.amount - end.captured)",
        "end.amount - end.captured",
        "a total of a payment that was captured beyond its authorization is shown too large",
        (_BEYOND,),
    ),
    Bug(
        "domain",
        "domain.facts.releases:releases",
        "r.amount == rest > 0",
        "r.amount == rest > 1",
        "what was let go of the least amount counts as given back",
        (_EVERY_ORDER.format("somebody captures all but the least part, which is let go"),),
    ),
    Bug(
        "domain",
        "domain.facts.releases:has_no_release",
        "payment.refund_total_range[0] < rest",
        "payment.refund_total_range[1] < rest",
        "a real refund of the rest is hidden once the totals have grown beyond the rest",
        (
            _EVERY_ORDER.format(
                "a total is less than the rest and a later one more, so a refund of the rest is a "
                "real one"
            ),
        ),
    ),
)
