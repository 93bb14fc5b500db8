"""Which payments were asked to expire, and when. Pure.

A provider may refuse to cancel a payment because the customer has paid. Until that is known here,
the payment still looks as if it should expire; asked again and again, it would never be silent, and
only a silent payment's object is looked at.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

#: The time between two commands to one payment. The first one is in the log.
PAUSE: Final = timedelta(hours=1)
#: Payments that may have been asked and still be due. With more, those that expired last wait.
PAYMENTS_MAX: Final = 100_000


class Expiries:
    """The memory of one process; another one that takes over begins without any.

    It has only the payments that the last pass over all due ones has met, some 200 bytes each.
    """

    def __init__(self) -> None:
        self._asked: dict[str, datetime] = {}
        self._met: dict[str, datetime] = {}

    def begin(self) -> None:
        """Begins a pass over the due payments."""
        self._met = {}

    def is_due(self, payment_id: str, now: datetime) -> bool:
        """Returns whether to ask a payment that the pass has met: the first time, or after a pause.

        A clock that was set back ends the pause.
        """
        asked_at = self._asked.get(payment_id)
        if asked_at is None or not asked_at <= now < asked_at + PAUSE:
            return True
        self._met[payment_id] = asked_at
        return False

    def remember(self, payment_ids: Iterable[str], now: datetime) -> None:
        """Notes that these payments were asked, once the brokers have the commands."""
        for payment_id in payment_ids:
            self._asked[payment_id] = self._met[payment_id] = now

    @property
    def is_full(self) -> bool:
        """Whether so many were asked and are still due that the pass should end here."""
        return len(self._met) >= PAYMENTS_MAX

    def end(self) -> None:
        """Forgets what this pass has not met: it is not due any more."""
        self._asked = self._met
