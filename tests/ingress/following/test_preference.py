"""How long a client prefers to wait, by RFC 7240."""

import pytest

from ingress.following.preference import WAIT_MAX_S, wait_of


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        (["wait=5"], 5),
        (["Wait=5"], 5),
        (['wait="5"'], 5),
        (["wait = 5"], 5),
        (["wait=5; foo=bar"], 5),
        (['respond-async, wait=10, a="b,c;wait=3"'], 10),
        (["respond-async", "wait=7"], 7),
        (['x="\\"wait=9\\""; y, wait=2'], 2),
        (["wait=5, wait=6"], 5),
        (["wait=5", "wait=6"], 5),
        ([f"wait={WAIT_MAX_S + 1}"], WAIT_MAX_S),
        (["wait=" + "9" * 5000], WAIT_MAX_S),
        (["wait=05"], 5),
    ],
)
def test_a_preference_to_wait_is_found(sent: list[str], seconds: int) -> None:
    """Among others, in any case, with parameters; the first one counts."""
    assert wait_of(sent) == seconds


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [""],
        ["wait"],
        ["wait="],
        ["wait=0"],
        ["wait=-1"],
        ["wait=5.5"],
        ["wait=five"],
        ["wait=\N{ARABIC-INDIC DIGIT FIVE}"],
        ["wait==5"],
        ['wait="5'],
        ["respond-async"],
        ["return=minimal"],
        ['a="wait=5"'],
        ["await=5"],
        ["wait 5"],
        [","],
    ],
)
def test_what_is_malformed_or_another_preference_is_ignored(sent: list[str]) -> None:
    """It is a wish, so it is never an error."""
    assert wait_of(sent) is None
