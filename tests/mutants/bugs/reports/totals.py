"""Bugs of totals of what was given back: whether what was let go is in them."""

from typing import Final

from tests.mutants.planted import Bug

_HISTORIES: Final = (
    "tests/domain/test_histories.py::test_every_possible_order_ends_in_the_same_state"
)
_AMOUNTS: Final = (
    "tests/domain/test_amounts.py::"
    "test_until_our_call_has_an_answer_a_total_with_its_key_is_reserved_too"
)
_COMMANDS: Final = (
    "tests/domain/test_commands.py::"
    "test_a_refund_of_all_is_one_that_was_read_before_only_if_it_is_of_all"
)
_LIMITS: Final = (
    "tests/domain/test_limits.py::test_keys_under_which_somebody_changes_a_refund_take_no_room"
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
        "domain.facts.refund_totals:_widened",
        "min(least, fact.amount)",
        "fact.amount",
        "which totals show a release depends on the order in which they come",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:echoed",
        "and refund.amount <= room",
        "",
        "a refund of another amount under our key makes the requested one SUCCEEDED in a total",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:echoed",
        "room -= refund.amount",
        "pass",
        "one amount in a total proves every refund whose key was sent",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.refund_totals:echoed",
        "r.provider_ref is None, r.id",
        "False, r.id",
        "a key that somebody sent hides the refund whose call has an answer",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:reserved_amount",
        "if refund_id in refs",
        "if True",
        "more than is left can be refunded while a total has the key of a call without an answer",
        (_AMOUNTS,),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:unproven_refund",
        "unclear | (_echoed(payment, refs).keys() - refs.keys())",
        "unclear",
        "a refund of the rest gives back too little while a total has the key of another one",
        (_AMOUNTS,),
    ),
    Bug(
        "domain",
        "domain.facts.releases:_is_candidate",
        "refund.may_be_release and",
        "refund.may_be_release and refund.key_refund_id is None and",
        "a release under a refund's key that somebody made up counts as given back",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:proven_refunds",
        "refund.key_refund_ids",
        "(refund.key_refund_ids[:1])",
        "our refund is proven no longer once somebody changes it under another key",
        (_HISTORIES,),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:kept_key_ids",
        "[:UNREQUESTED_KEYS_MAX]",
        "",
        "keys that somebody made up fill a payment until it is quarantined",
        (_LIMITS,),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:kept_key_ids",
        "*requested.intersection(ids), ",
        "",
        "made-up keys push out the one that proves our refund",
        (_LIMITS,),
    ),
    Bug(
        "domain",
        "domain.on_command:_may_be_asked_for",
        "0 < made.amount == _requested(command.amount, left)",
        "made.amount == _requested(command.amount, made.amount)",
        "any refund under the key of a refund of all is taken for it",
        (_COMMANDS,),
    ),
    Bug(
        "domain",
        "domain.on_command:_refund",
        "if command.amount == ALL and made:",
        "if False:",
        "a refund of the rest is made again where a log is read out of order",
        (_COMMANDS,),
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
)
