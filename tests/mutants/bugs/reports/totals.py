"""Bugs of totals of what was given back: whether what was let go is in them."""

from typing import Final

from tests.mutants.planted import Bug

_HISTORIES: Final = (
    "tests/domain/test_histories.py::test_every_possible_order_ends_in_the_same_state"
)

BUGS: Final = (
    Bug(
        "domain",
        "domain.facts.refund_totals:_let_go",
        "rest if is_named or least == rest or greatest > end.captured else 0",
        "rest",
        "a total without a release loses as much, and too much can be refunded",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:_let_go",
        "or greatest > end.captured",
        "",
        "a release whose own event is lost counts as given back, although the totals show it",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:range_with",
        "min(least, fact.amount)",
        "fact.amount",
        "which totals show a release depends on the order in which they come",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.releases:releases",
        "if has_no_release(payment, rest):",
        "if False:",
        "a real refund of exactly the rest is hidden, although a total shows that none was let go",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.releases:releases",
        "and not _has_ended_otherwise(r)",
        "",
        "a refund that failed is taken for the release, so that it counts as given back",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_is_our_capture",
        "and key.call in payment.calls",
        "",
        "a key that somebody made up makes a release a refund",
        (_HISTORIES,),
    ),
)
