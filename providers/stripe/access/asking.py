"""Takes a request to Stripe from the account's rate budget, and notes a refusal for its rate."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import stripe

from ports.provider import RateLimitedError
from ports.rate_budget import RequestBudget
from providers.stripe.outcomes import is_of_endpoint, is_rate_limit, retry_after_of

#: A collection of the API, and the ID of an object in it.
_OBJECT: Final = re.compile(
    r"^(/v1/radar/[a-z_]+|/v2/core/[a-z_]+|/v1/(?!radar/)[a-z_]+)/(?!search\b)[^/]+"
)


def endpoint_of(method: str, path: str) -> str:
    """Returns the endpoint of a request, as Stripe limits each: whatever object it is about."""
    return f"{method.upper()} " + _OBJECT.sub(r"\1/{id}", path)


@asynccontextmanager
async def asking(budget: RequestBudget, method: str, path: str) -> AsyncIterator[None]:
    """Enters when the request in its block may be made.

    Raises RateLimitedError if it may not; also if it reads, and Stripe refused it for its rate.
    """
    writes, endpoint = method != "get", endpoint_of(method, path)
    await budget.take(writes=writes, endpoint=endpoint)
    try:
        yield
    except stripe.StripeError as error:
        if not is_rate_limit(error):
            raise
        wish_s = retry_after_of(error)
        await budget.refused(wish_s, endpoint if is_of_endpoint(error) else None)
        if writes:
            raise
        raise RateLimitedError(f"Stripe's: {type(error).__name__}", wish_s) from error
