"""When an object is looked at next. Pure.

A payment may wait for days, an authorization for a week. Its object is looked at less and less
often while nothing changes: after 2 minutes, then after 4, 8, 16 … and at last once a day.
"""

from datetime import datetime, timedelta
from typing import Final

from domain.transitions import is_final
from ports.work_items import Look, PlannedLook

#: The longest time between two looks at an object that may change.
LONGEST: Final = timedelta(days=1)


def is_over(look: PlannedLook) -> bool:
    """Returns whether the payment is final, so that its object need not be looked at.

    A look that was wished for is taken all the same.
    """
    if look.wished_at is not None:
        return False
    return look.payment is not None and is_final(look.payment.status)


def taken(look: PlannedLook, published: str | None, first: timedelta, now: datetime) -> Look:
    """Returns the look as it was taken, with the time of the next one.

    Args:
        look: as it was planned.
        published: event ID of what was found, if it was news.
        first: the time until the second look at an unchanged object.
        now: the current time.
    """
    unchanged = look.unchanged + 1 if published is None else 0
    # no power is computed of a count that grows for ever
    wait = min(min(first, LONGEST) * 2 ** min(unchanged, 20), LONGEST)
    return Look(
        payment_id=look.payment_id,
        version=look.version,
        found=published or look.found,
        unchanged=unchanged,
        next_at=now + wait,
        wished_at=look.wished_at,
    )


def missed(look: PlannedLook, first: timedelta, now: datetime) -> Look:
    """Returns a look for which the provider could not be asked: that says nothing of the object."""
    return Look(
        payment_id=look.payment_id,
        version=look.version,
        found=look.found,
        unchanged=look.unchanged,
        next_at=now + min(first, LONGEST),
        wished_at=look.wished_at,
        is_missed=True,
    )
