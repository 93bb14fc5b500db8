"""When a refund was made: its reports may differ, and the earliest time counts."""

from datetime import datetime
from itertools import permutations

import pytest

from domain.status import RefundStatus
from tests.domain.histories.builders import at, received, refund_fact
from tests.domain.histories.situations import replay_until


@pytest.mark.parametrize(
    ("times", "made_at"),
    [
        ((at(5), at(7)), at(5)),
        ((at(5), None), at(5)),
        ((at(7), None, at(5)), at(5)),
        ((None, None), None),
    ],
)
def test_the_earliest_time_counts_in_any_order(
    times: tuple[datetime | None, ...], made_at: datetime | None
) -> None:
    """Which refund is a release and which are in a total depends on it."""
    statuses = (RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.FAILED)
    reports = [
        refund_fact("re_1", status, second, 100, made_at=time)
        for second, (status, time) in enumerate(zip(statuses, times, strict=False), start=9)
    ]
    for order in permutations(reports):
        replay = replay_until("succeeded")
        for report in order:
            replay.deliver(received(report))
        (refund,) = replay.existing.provider_refunds
        assert refund.made_at == made_at
