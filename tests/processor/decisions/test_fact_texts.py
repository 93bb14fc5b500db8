"""The texts of a fact are storable, also those of its parts."""

from typing import Final

from msgspec.structs import replace

from decisions.fact_texts import with_storable_texts
from domain.inputs import Failure
from domain.status import DisputeStatus, RefundStatus
from ports.texts import ERROR_CHARS_MAX
from tests.domain.histories.builders import dispute_fact, refund_fact, withdrawn

_LONG: Final = "\0" + "x" * (2 * ERROR_CHARS_MAX)
_CUT: Final = "\N{REPLACEMENT CHARACTER}" + "x" * (ERROR_CHARS_MAX - 1)
_SUCCEEDED: Final = RefundStatus.SUCCEEDED
_ONE: Final = refund_fact("re_1", _SUCCEEDED, 9, 100)
_OTHER: Final = refund_fact("re_2", _SUCCEEDED, 9, 200, reason="damaged")


def test_the_texts_of_listed_refunds_are_cut() -> None:
    """A total may list many refunds, each with the texts of other people."""
    listed = (replace(_ONE, reason=_LONG, failure=Failure(_LONG, _LONG)), _OTHER)
    total = refund_fact("all", _SUCCEEDED, 9, 300, is_total=True, listed=listed)
    expected = replace(_ONE, reason=_CUT, failure=Failure(_CUT, _CUT))
    assert with_storable_texts(total) == replace(total, listed=(expected, _OTHER))


def test_the_texts_of_movements_are_cut() -> None:
    """A dispute may have many of them."""
    dispute = dispute_fact(
        "dis_1", DisputeStatus.LOST, 9, movements=(withdrawn(_LONG), withdrawn("mv_2"))
    )
    expected = (withdrawn(_CUT), withdrawn("mv_2"))
    assert with_storable_texts(dispute) == replace(dispute, movements=expected)


def test_a_fact_that_is_storable_is_returned_itself() -> None:
    """Nearly all are: they cost no copy, nor do their parts."""
    total = refund_fact("all", _SUCCEEDED, 9, 300, is_total=True, listed=(_ONE, _OTHER))
    assert with_storable_texts(total) is total
