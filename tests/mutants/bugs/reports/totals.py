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
    "tests/domain/test_limits.py::test_made_up_ids_take_no_room_and_push_out_no_requested_one[{}]"
)
_COUNTED: Final = (
    "tests/domain/test_limits.py::test_each_id_that_a_report_names_is_counted_where_it_is_kept"
)
_MADE_UP: Final = (
    "tests/domain/test_limits.py::test_made_up_keys_prove_no_refund_that_they_do_not_name"
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
        "domain.facts.refunds:kept_refund_ids",
        "[:UNREQUESTED_IDS_MAX]",
        "",
        "keys that somebody made up fill a payment until it is quarantined",
        (_LIMITS.format("its call key"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:kept_refund_ids",
        "*requested.intersection(ids), ",
        "",
        "made-up keys push out the one that proves our refund",
        (_LIMITS.format("its call key"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:kept_refund_ids",
        "*requested.intersection(ids), *others",
        "*requested, *others",
        "somebody's refund with many made-up keys is shown as the one that the client requested",
        (_MADE_UP,),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:kept_refund_ids",
        "set(ids) - requested",
        "ids",
        "which made-up IDs are kept depends on the names of those that were requested",
        (_LIMITS.format("its call key"),),
    ),
    Bug(
        "domain",
        "domain.facts.refunds:kept_refund_ids",
        "sorted(set(ids) - requested)",
        "list(set(ids) - requested)",
        "which made-up IDs are kept depends on the process, so no rebuild gives the same payment",
        (_LIMITS.format("its call key"),),
    ),
    Bug(
        "domain",
        "domain.on_fact:_merged",
        "tuple(kept_refund_ids(payment, claims))",
        "tuple(sorted(claims))",
        "what somebody writes on one refund fills a payment without end",
        (_LIMITS.format("its metadata"),),
    ),
    Bug(
        "domain",
        "domain.on_fact:_on_total",
        "frozenset(kept_refund_ids(payment, echoes))",
        "frozenset(echoes)",
        "made-up keys of totals fill a payment until it is quarantined",
        (_LIMITS.format("a total's call key"),),
    ),
    Bug(
        "domain",
        "domain.limits:_reported_ids",
        "len(r.claims) + len(r.key_refund_ids)",
        "len(r.key_refund_ids)",
        "the IDs of many requested refunds on many refunds fill a payment without end",
        (_COUNTED,),
    ),
    Bug(
        "domain",
        "domain.limits:_reported_ids",
        "named + len(payment.echoed_refunds)",
        "named",
        "the totals' call keys count for nothing, however many refunds were requested",
        (_COUNTED,),
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
