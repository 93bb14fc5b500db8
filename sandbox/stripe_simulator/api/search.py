"""The search for payment intents by a metadata key, newest first; it has new ones late.

Source: https://docs.stripe.com/api/payment_intents/search and https://docs.stripe.com/search
"""

import re

from sandbox.stripe_simulator.api.listing import page_size
from sandbox.stripe_simulator.errors import ParameterError
from sandbox.stripe_simulator.storage.store import decode
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

#: The one kind of query that it takes: metadata['key']:'value'.
_QUERY = re.compile(r"""metadata\[['"]([^'"\\]+)['"]\]:['"]([^'"\\]*)['"]""")


def payment_intents(world: World, call: Call) -> JsonObject:
    """PaymentIntents with a value under a metadata key. The value is compared without case."""
    query = call.params.required_text("query")
    asked = _QUERY.fullmatch(query)
    if asked is None:
        raise ParameterError(f"We were unable to parse your search query {query!r}.", param="query")
    limit, at = page_size(call.params), int(call.params.text("page") or 0)
    known_since = world.clock.now() - world.faults.current.searched_late_s
    rows = world.store.rows(
        "select body from objects where kind = 'payment_intent' and created <= ?"
        " and lower(json_extract(body, ?)) = lower(?) order by seq desc limit ? offset ?",
        (known_since, f'$.metadata."{asked[1]}"', asked[2], limit + 1, at),
    )
    has_more = len(rows) > limit
    return {
        "object": "search_result",
        "data": [decode(body) for (body,) in rows[:limit]],
        "has_more": has_more,
        "next_page": str(at + limit) if has_more else None,
        "url": "/v1/payment_intents/search",
    }
