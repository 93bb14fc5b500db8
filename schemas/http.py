"""Request and response bodies of the HTTP API."""

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AnyUrl,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    UrlConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from domain.status import Outcome, Status
from schemas.commands import PaymentTerms
from schemas.model import AmountOrAll, Currency, Model, ShortText, UtcTime
from schemas.state import PaymentState

#: Schemes that a browser or the system acts upon itself, instead of opening an app or a page.
_NOT_AN_APPS: Final = frozenset(
    """
    about blob chrome chrome-extension content data facetime file filesystem ftp geo intent jar
    javascript mailto market moz-extension ms-appx resource sms tel vbscript view-source ws wss
    """.split()  # noqa: SIM905  # a list of them would be ten times as long
)


def _goes_back(url: AnyUrl) -> AnyUrl:
    """Refuses what leads to no page and no app: ``https://...`` or ``myapp://...`` does."""
    if url.scheme in _NOT_AN_APPS or not url.host:
        raise PydanticCustomError(
            "return_url", "Send a web address (https://...) or an app's own (myapp://...)"
        )
    return url


#: Where the customer comes back to.
_ReturnUrl = Annotated[
    AnyUrl, UrlConstraints(max_length=500), AfterValidator(_goes_back), PlainSerializer(str)
]
_RETURN_URL: Final = Field(
    description="Where the customer returns to: a page, or an app by its own scheme. Without it "
    "only the provider's SDK can ask the customer."
)


def _upper(value: Any) -> Any:
    """Returns an ASCII text in upper case. Other characters may have an ASCII one as theirs."""
    return value.upper() if isinstance(value, str) and value.isascii() else value


#: A request's currency. Which codes there are the provider's rules say, when it is accepted.
AnyCaseCurrency = Annotated[
    Currency,
    BeforeValidator(_upper),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{3}$"}),
]


class CreateRequest(PaymentTerms):
    """The body of ``POST /v1/payments``: the terms, some of them checked more closely."""

    currency: Annotated[
        AnyCaseCurrency,
        Field(
            description="An active currency of ISO 4217 that the provider takes, in upper or lower "
            "case. Other codes, such as XXQ or BGN, are refused; answers have upper case."
        ),
    ]
    return_url: Annotated[_ReturnUrl | None, _RETURN_URL] = None  # type: ignore[assignment]
    provider: Annotated[
        ShortText | None,
        Field(description="The name of an account at a provider. Left out: yours."),
    ] = None


class ConfirmRequest(Model):
    """The body of ``POST /v1/payments/{id}/confirm``."""

    payment_method: Annotated[
        ShortText,
        Field(
            description="The provider's token of the payment method for the next attempt. There is "
            "one if the payment was created with a higher `max_attempts` than have failed; by "
            "default that is 1, so after a decline there is none."
        ),
    ]


def _amount_or_all(amount: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Names both forms. A client that lost its amount must not move everything."""
    try:
        return validate(amount)
    except ValidationError:
        raise PydanticCustomError(
            "amount_or_all",
            'Send minor units, such as 500, or "all" for all that is left',
        ) from None


#: Required. The default is only there so that its absence is refused in the same words.
_PartAmount = Annotated[
    AmountOrAll,
    WrapValidator(_amount_or_all),
    Field(
        default=None,
        validate_default=True,
        description='Minor units: 500 is 5.00 EUR. "all" is all that is left.',
        json_schema_extra=lambda schema: schema.pop("default", None),
    ),
]


class _PartRequest(Model):
    model_config = ConfigDict(json_schema_extra={"required": ["amount"]})

    amount: _PartAmount


class CaptureRequest(_PartRequest):
    """The body of ``POST /v1/payments/{id}/capture``."""


class CancelRequest(Model):
    """The body of ``POST /v1/payments/{id}/cancel``: ``{}``."""


class RefundRequest(_PartRequest):
    """The body of ``POST /v1/payments/{id}/refunds``."""

    reason: Annotated[
        Literal["duplicate", "fraudulent", "requested_by_customer"] | None,
        Field(description="Why the money is given back; passed on to the provider."),
    ] = None


class Payment(PaymentState):
    """A payment, as the API returns it."""

    version: Annotated[
        Annotated[int, Field(ge=0)],
        Field(
            description="1, 2, 3 and so on, without gaps. Of two versions the higher one is newer. "
            "0: accepted, and nothing is decided yet; no consumer of events sees it."
        ),
    ]

    quarantined: Annotated[
        bool,
        Field(
            description="An event could not be processed. This is the payment as of before; what "
            "came since waits for an operator."
        ),
    ]


class ClientSecret(Model):
    """The secret with which the provider's SDK carries out a payment's action. Never stored."""

    client_secret: Annotated[
        str, Field(description="For the provider's SDK in the customer's app or page.")
    ]


class PaymentPage(Model):
    """One page of a tenant's payments, newest first."""

    data: Annotated[tuple[Payment, ...], Field(description="The payments of this page.")]
    next_cursor: Annotated[
        str | None, Field(description="The cursor of the next page; null on the last one.")
    ]
    total: Annotated[
        Annotated[int, Field(ge=0)] | None,
        Field(
            description="How many payments match, on all pages; only in the answer to `count=true`."
        ),
    ] = None
    total_is_capped: Annotated[
        bool | None,
        Field(
            description="There may be more than `total`, because no more are counted; only in the "
            "answer to `count=true`."
        ),
    ] = None


class TransitionEntry(Model):
    """A change of status."""

    source: Annotated[
        Status | None, Field(description="The status before; null for the first one.")
    ]
    target: Annotated[Status, Field(description="The status since then.")]


class TimelineEntry(Model):
    """One input about the payment, and its outcome."""

    event_id: Annotated[
        str,
        Field(
            description="The input's event ID; a webhook has the provider's. A webhook that was "
            "refused for what it is about, or could not be read, leaves its event ID to another "
            "form of the same event. It has `<event ID>@<topic>/<partition>/<offset>` instead, "
            "such as `event-1@provider-webhooks/0/17`."
        ),
    ]
    kind: Annotated[
        str,
        Field(
            description="`command.<operation>`, `result.<operation>` or `<provider>.<event type>`."
        ),
    ]
    outcome: Annotated[
        Outcome,
        Field(
            description="What became of it. Later releases may add values.",
            json_schema_extra={"x-open": True},
        ),
    ]
    reason: Annotated[str, Field(description="Why, in one sentence that names what decided it.")]
    transition: Annotated[
        TransitionEntry | None,
        Field(description="The change of status that it brought; null if none."),
    ]
    version: Annotated[
        int | None,
        Field(
            description="The version of the payment that it made; null if it changed nothing "
            "visible."
        ),
    ]
    topic: Annotated[str, Field(description="The topic of its record.")]
    partition: Annotated[int, Field(description="The partition of its record.")]
    offset: Annotated[int, Field(description="The offset of its record in the partition.")]
    received_at: Annotated[UtcTime, Field(description="When the service received it, in UTC.")]
    recorded_at: Annotated[UtcTime, Field(description="When its outcome was decided, in UTC.")]


class CallEntry(Model):
    """One provider call: its attempts and its outcome."""

    operation: Annotated[str, Field(description="What the provider is asked to do.")]
    key: Annotated[
        str, Field(description="The call key, which is also the idempotency key at the provider.")
    ]
    state: Annotated[
        Literal["due", "in_flight", "done"],
        Field(
            description="Whether it is to be made, or made again (due); a worker is making it now "
            "(in_flight); or its outcome is known (done). One whose worker died is due again."
        ),
    ]
    attempts: Annotated[int, Field(description="How often it was tried.")]
    outcome: Annotated[
        str | None,
        Field(
            description="Acknowledged, with the provider's object, or refused, with its code; "
            "null until it is known."
        ),
    ]
    last_error: Annotated[
        str | None,
        Field(description="Why the last try did not end it; null if it did, or is under way."),
    ]
    next_attempt_at: Annotated[
        UtcTime | None, Field(description="When it is tried next, in UTC; null unless it is due.")
    ]
    created_at: Annotated[UtcTime, Field(description="When it was decided, in UTC.")]
    done_at: Annotated[
        UtcTime | None, Field(description="When its outcome was known, in UTC; null until then.")
    ]


class Timeline(Model):
    """One page of a payment's inputs and provider calls, oldest first."""

    payment_id: Annotated[str, Field(description="The payment's ID.")]
    status: Annotated[Status, Field(description="The payment's status.")]
    version: Annotated[int, Field(description="The payment's latest version.")]
    quarantined: Annotated[
        bool,
        Field(
            description="An event could not be processed, and what came since waits for an "
            "operator."
        ),
    ]
    quarantine: Annotated[
        str | None, Field(description="Since when, and which event; null if it is not quarantined.")
    ]
    entries: Annotated[tuple[TimelineEntry, ...], Field(description="The inputs of this page.")]
    calls: Annotated[tuple[CallEntry, ...], Field(description="The provider calls of this page.")]
    next_cursor: Annotated[
        str | None, Field(description="The cursor of the next page; null on the last one.")
    ]


class WebhookReceived(Model):
    """The answer to a webhook or a notice."""

    received: Annotated[
        Literal[True], Field(description="It is stored on every in-sync replica.")
    ] = True


class Health(Model):
    """The process runs."""

    status: Annotated[Literal["ok"], Field(description="Always ok.")]


class Readiness(Model):
    """Whether requests can be accepted, which needs Kafka alone."""

    status: Annotated[Literal["ok", "not ready"], Field(description="Whether they can.")]
    kafka: Annotated[Literal["ok", "unavailable"], Field(description="Whether Kafka answers.")]
    postgres: Annotated[
        Literal["ok", "unavailable"],
        Field(description="Whether Postgres answers. Without it payments can't be read."),
    ]


class FieldProblem(Model):
    """One wrong field of a request, and how to fix it."""

    field: Annotated[str, Field(description="Where it is, such as amount, or metadata.order.")]
    problem: Annotated[str, Field(description="What is wrong with it.")]


class Problem(Model):
    """``application/problem+json`` (RFC 9457)."""

    type: Annotated[
        str, Field(description="The kind of problem, as an address under which it is explained.")
    ]
    title: Annotated[str, Field(description="The kind of problem, in words.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    detail: Annotated[str, Field(description="What is wrong with this request, and what to do.")]
    errors: Annotated[
        tuple[FieldProblem, ...], Field(description="The wrong fields, if it is about fields.")
    ] = ()
