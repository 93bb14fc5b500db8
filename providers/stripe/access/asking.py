"""Takes a request to Stripe from the account's rate budget, and notes a refusal for its rate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import stripe

from ports.provider import RateLimitedError
from ports.rate_budget import RequestBudget
from providers.stripe.outcomes import is_rate_limit, retry_after_of


@asynccontextmanager
async def asking(budget: RequestBudget, *, writes: bool) -> AsyncIterator[None]:
    """Enters when the request in its block may be made.

    Raises RateLimitedError if it may not; also if it reads, and Stripe refused it for its rate.
    """
    await budget.take(writes=writes)
    try:
        yield
    except stripe.StripeError as error:
        if not is_rate_limit(error):
            raise
        wish_s = retry_after_of(error)
        await budget.budget.refused(wish_s)
        if writes:
            raise
        raise RateLimitedError(f"Stripe's: {type(error).__name__}", wish_s) from error
