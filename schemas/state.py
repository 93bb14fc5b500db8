"""Values of ``payment-state`` and ``GET /v1/payments/{id}``: one version of a payment.

A consumer keeps a record only if its ``version`` is higher than the version that it has.
"""

from typing import Annotated, Literal

from pydantic import Field

from domain.status import DisputeStatus, RefundStatus, Status
from schemas.model import (
    CAPTURE_METHOD,
    DESCRIPTION,
    MAX_ATTEMPTS,
    METADATA,
    ORDER_REFERENCE,
    Amount,
    CaptureMethod,
    Currency,
    Metadata,
    Model,
    OrderReference,
    PaymentId,
    ShortText,
    UtcTime,
)

MinorUnits = Annotated[int, Field(strict=True, ge=0)]


class Failure(Model):
    """Why an attempt, a refund or a call failed: the provider's code and a message for people."""

    code: Annotated[str, Field(description="The provider's code, such as card_declined.")]
    message: Annotated[str, Field(description="What to show to people, in the provider's words.")]


class Redirect(Model):
    """The customer visits the page at ``url``."""

    type: Annotated[Literal["redirect"], Field(description="The customer visits a page.")]
    url: Annotated[
        str,
        Field(
            description="Where the customer goes. It may carry a secret: show it to the "
            "customer only, and "
            "log it nowhere."
        ),
    ]


class ActionWithoutPage(Model):
    """What has to happen without a page.

    ``provider_sdk``: the customer acts in the provider's SDK, with the secret from
    ``GET /v1/payments/{id}/client-secret``. ``new_payment_method``: the client confirms with one.
    """

    type: Annotated[
        Literal["provider_sdk", "new_payment_method"],
        Field(
            description="Who has to act: the customer in the provider's SDK (provider_sdk), or "
            "the client, with another payment method (new_payment_method)."
        ),
    ]
    url: Annotated[None, Field(description="Always null: there is nothing to visit.")] = None


#: What the customer or the client has to do next.
NextAction = Annotated[Redirect | ActionWithoutPage, Field(discriminator="type")]


class Amounts(Model):
    """Minor units, computed from all known facts: 0 <= refunded <= captured <= authorized.

    They are what the provider reports. Its account can authorize and capture more than the
    ``amount`` that the client asked for.
    """

    authorized: Annotated[
        MinorUnits,
        Field(description="What is reserved at the customer's bank, with what was captured of it."),
    ]
    captured: Annotated[MinorUnits, Field(description="What was taken.")]
    refunded: Annotated[MinorUnits, Field(description="What was given back of it.")]


class RefundState(Model):
    """One refund. ``reversed``: it failed after it had succeeded. A provider can make one of 0."""

    id: Annotated[
        ShortText,
        Field(
            description="The refund's ID: ours if a client requested it, else one made of the "
            "provider's."
        ),
    ]
    status: Annotated[
        RefundStatus,
        Field(description="What became of the refund so far. A succeeded one can still fail."),
    ]
    amount: Annotated[MinorUnits, Field(description="Minor units of the payment's currency.")]
    reason: Annotated[str | None, Field(description="Why, if anybody said so.")]
    failure: Annotated[
        Failure | None, Field(description="Why it failed or was refused; null if it did not.")
    ]
    reversed: Annotated[
        bool, Field(description="It failed after it had succeeded: the money came back.")
    ]


class DisputedFunds(Model):
    """The disputed money that moved in one currency, in its minor units, without fees.

    A balance grew by ``reinstated + adjusted - withdrawn``. The currency is that of the balance,
    which need not be the payment's.
    """

    currency: Annotated[
        Currency, Field(description="ISO 4217, in upper case: the currency of the balance.")
    ]
    withdrawn: Annotated[MinorUnits, Field(description="What was taken from the balance.")]
    reinstated: Annotated[MinorUnits, Field(description="What was given back to the balance.")]
    adjusted: Annotated[
        int,
        Field(
            strict=True,
            description="Corrections, such as of an exchange rate; negative if taken from us.",
        ),
    ]


class DisputeState(Model):
    """One dispute. A withdrawal of funds is not yet a loss: ``status`` has the outcome."""

    id: Annotated[ShortText, Field(description="The dispute's ID at the provider.")]
    status: Annotated[DisputeStatus, Field(description="How far it is, or how it was decided.")]
    amount: Annotated[
        MinorUnits,
        Field(description="The disputed amount, in minor units of the dispute's currency."),
    ]
    currency: Annotated[
        Currency, Field(description="ISO 4217, in upper case; it need not be the payment's.")
    ]
    reason: Annotated[
        str | None,
        Field(description="The bank's reason, in the provider's words; null without one."),
    ]
    appeal: Annotated[
        bool,
        Field(description="The response that is needed or under review is an appeal."),
    ]
    respond_by: Annotated[
        UtcTime | None,
        Field(description="Until when a response is possible; null unless one is needed."),
    ]
    funds: Annotated[
        tuple[DisputedFunds, ...],
        Field(description="What moved on our balance at the provider, by currency."),
    ]


class FraudWarningState(Model):
    """A bank's warning that the payment may be fraudulent; no dispute yet, and no money moved."""

    id: Annotated[ShortText, Field(description="The warning's ID at the provider.")]
    type: Annotated[ShortText, Field(description="The provider's word for the kind of fraud.")]
    actionable: Annotated[bool, Field(description="A refund may still prevent a dispute.")]


class PaymentState(Model):
    """One version of a payment. Versions are numbered 1, 2, 3 without gaps."""

    id: Annotated[
        PaymentId,
        Field(
            description="The payment's ID. The same tenant and Idempotency-Key always give the "
            "same one."
        ),
    ]
    tenant: Annotated[
        ShortText, Field(description="Whose payment it is: the client that the API key belongs to.")
    ]
    version: Annotated[
        Annotated[int, Field(ge=1)],
        Field(
            description="1, 2, 3 and so on, without gaps. Of two versions the higher one is newer."
        ),
    ]
    status: Annotated[Status, Field(description="SUCCEEDED, FAILED and CANCELED are final.")]
    amount: Annotated[
        Amount,
        Field(
            description="What the client asked for, in minor units by ISO 4217: 1999 is 19.99 EUR."
        ),
    ]
    currency: Annotated[Currency, Field(description="ISO 4217, in upper case, such as EUR.")]
    capture_method: Annotated[CaptureMethod, CAPTURE_METHOD]
    amounts: Annotated[Amounts, Field(description="What the provider reports.")]
    attempts: Annotated[
        Annotated[int, Field(ge=1)], Field(description="How many attempts were started.")
    ]
    max_attempts: Annotated[Annotated[int, Field(ge=1)], MAX_ATTEMPTS]
    next_action: Annotated[
        NextAction | None,
        Field(description="What the customer or the client has to do next; null if nothing."),
    ]
    failure: Annotated[
        Failure | None,
        Field(description="Why the payment failed or does not go on; null if neither."),
    ]
    cancel_requested: Annotated[
        bool, Field(description="A cancel is requested, and was not refused.")
    ]
    provider: Annotated[ShortText, Field(description="The name of the account at the provider.")]
    provider_object_id: Annotated[
        str | None,
        Field(description="What the provider calls the payment; null until it is known."),
    ]
    description: Annotated[str | None, DESCRIPTION]
    order_reference: Annotated[OrderReference | None, ORDER_REFERENCE] = None
    metadata: Annotated[Metadata, METADATA]
    refunds: Annotated[
        tuple[RefundState, ...],
        Field(description="Every refund that is requested or made, oldest first."),
    ]
    disputes: Annotated[
        tuple[DisputeState, ...], Field(description="Every dispute over the payment.")
    ]
    fraud_warnings: Annotated[
        tuple[FraudWarningState, ...], Field(description="The banks' warnings about the payment.")
    ] = ()
    expires_at: Annotated[
        UtcTime,
        Field(
            description="When the provider is asked to cancel, if the payment still waits for "
            "its customer."
        ),
    ]
    created_at: Annotated[
        UtcTime, Field(description="When the create command was decided, in UTC.")
    ]
    updated_at: Annotated[UtcTime, Field(description="When this version was decided, in UTC.")]
