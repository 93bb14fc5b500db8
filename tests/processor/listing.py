"""Lists payments of a large store by every filter, for the plans of the statements."""

from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from domain.status import Status
from ingress.routes.payment_list import COUNTED_MAX
from postgres import payment_list
from postgres.payment_list import Connection, Filters, PageCursor, label_of

LIMIT: Final = 20
#: Three payments of a tenant get this reference.
_RARE: Final = """
    insert into payment_labels select %s, created_at, payment_id from payments
    where tenant = %s order by md5(payment_id) limit 3"""


async def list_by_everything(connection: Connection, tenant: str, now: datetime) -> None:
    """Reads pages from the beginning and further back, and counts.

    By common filters, by rare ones, by several, and by some that nothing matches.
    """
    plain = psycopg.AsyncCursor[Any](connection)
    await plain.execute(_RARE.encode(), [label_of(tenant, "order_reference", "rare"), tenant])
    common: dict[str, Any] = {"currency": "EUR", "provider": "stripe"}
    half = now - timedelta(days=180)
    after: PageCursor | None = None
    for filters in (
        Filters(),
        *(Filters(statuses=(status,)) for status in Status),
        Filters(created_from=half, created_to=half + timedelta(days=1)),
        Filters(**common),
        Filters(**common, statuses=(Status.FAILED, Status.AUTHORIZED)),
        Filters(currency="XXX", statuses=(Status.SUCCEEDED,), created_to=half),
        Filters(provider="none", currency="EUR"),
        Filters(order_reference="rare", statuses=(Status.SUCCEEDED, Status.FAILED)),
        Filters(metadata=("none", "1"), currency="EUR"),
        Filters(needs_attention=True),
        Filters(needs_attention=True, **common),
        Filters(needs_attention=False, statuses=(Status.SUCCEEDED,)),
    ):
        page = await payment_list.page(connection, tenant, filters, None, LIMIT)
        assert page.snapshots or filters.order_reference is None
        after = page.end or after
        await payment_list.page(connection, tenant, filters, after, LIMIT)
        await payment_list.count(connection, tenant, filters, COUNTED_MAX)
