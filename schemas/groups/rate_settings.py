"""The settings of the rate budgets: how often a provider takes requests of one account."""

from typing import Annotated

from pydantic import Field

from schemas.environment import Group

#: From five on, a bucket has room for a request of every class.
PerSecond = Annotated[float, Field(ge=5, le=1_000_000, allow_inf_nan=False)]


class RateSettings(Group):
    """How often providers may be asked. All workers together make fewer requests in a second."""

    stripe_requests_per_s: PerSecond | None = Field(
        None,
        description="Requests that Stripe takes from the account in one second. Unset: 100 in live "
        "mode, 25 in test mode, as Stripe has it.",
    )
    stripe_endpoint_requests_per_s: PerSecond = Field(
        25.0,
        description="Requests of one endpoint, such as creating payment intents, that Stripe takes "
        "from the account in one second.",
    )
    examplepay_requests_per_s: PerSecond = Field(
        100.0, description="Requests that ExamplePay takes from the account in one second."
    )
