"""Bugs in which reports are of one failed attempt."""

from typing import Final

from tests.mutants.planted import Bug

_EVERY_ORDER: Final = (
    "tests/domain/test_histories.py::test_every_possible_order_ends_in_the_same_state[{}]"
)
_JOINED: Final = "domain.facts.join:_by_name_or_call"

BUGS: Final = (
    Bug(
        "domain",
        "domain.facts.join:_slot",
        'f"failed, of attempt {attempt}"',
        '"failed"',
        "a look forgets which call a failure is of, and a failure of another call is lost",
        (
            _EVERY_ORDER.format(
                "of two failures the first has our call alone, the second a name and then our call"
            ),
        ),
    ),
    Bug(
        "domain",
        _JOINED,
        "ref_of.get(number) or",
        "",
        "one failure counts twice where one of its reports has no name: the payment ends early",
        (
            _EVERY_ORDER.format(
                "a failure is reported by our call alone, and by its name and our call"
            ),
        ),
    ),
    Bug(
        "domain",
        _JOINED,
        "if ref not in has_call",
        "",
        "the failure of another call is taken for the first one, so the payment waits for ever",
        (
            _EVERY_ORDER.format(
                "of two failures the first has our call alone, the second a name and then our call"
            ),
        ),
    ),
    Bug(
        "domain",
        _JOINED,
        "named[ref] = min(named[ref], fact, key=order)",
        "pass",
        "a late report of a failure hides what the payment did after it",
        (
            _EVERY_ORDER.format(
                "a look finds the name of a failure that our call alone had, after it went on"
            ),
        ),
    ),
    Bug(
        "domain",
        _JOINED,
        "if each != ref",
        "",
        "two failures count as one because a look found the name of one of them",
        (
            _EVERY_ORDER.format(
                "of two failures in one second each has our call alone, and a look finds a name"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.join:_may_be",
        "fact.occurred_at <= named.occurred_at and",
        "",
        "the failure of a later call is taken for an earlier one that has only a name",
        (
            _EVERY_ORDER.format(
                "of two failures the first has a name alone, the second our call alone"
            ),
        ),
    ),
    Bug(
        "domain",
        "domain.facts.join:_may_be",
        "and _code(fact) == _code(named)",
        "",
        "two failures of two codes count as one, so the payment waits for ever",
        (
            _EVERY_ORDER.format(
                "of two failures of two codes the first has our call alone, the second a name alone"
            ),
        ),
    ),
)
