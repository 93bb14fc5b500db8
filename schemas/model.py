"""The base of all models, and the field types they share."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.identity import PAYMENT_ID_PATTERN


class Model(BaseModel):
    """A frozen model. An unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _storable(text: str) -> str:
    """Refuses NUL, the only character that PostgreSQL can't store."""
    if "\0" in text:
        raise PydanticCustomError("nul_character", "Remove the NUL character (U+0000)")
    return text


Storable = AfterValidator(_storable)


def _without_brackets(key: str) -> str:
    """Refuses brackets: in the forms that some providers take they would address another field."""
    if "[" in key or "]" in key:
        raise PydanticCustomError("bracket", "Remove the square brackets from the key")
    return key


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("calendar", "Send a time within the years 1 to 9999") from None


PaymentId = Annotated[str, StringConstraints(pattern=PAYMENT_ID_PATTERN)]
#: Minor units (cents) of the currency, by ISO 4217. No provider accepts more than twelve digits;
#: ``ports.provider.MoneyRules`` say what each of them accepts.
Amount = Annotated[int, Field(strict=True, gt=0, le=999_999_999_999)]
#: All that is left, which is always said: an absent amount may be a lost one.
AmountOrAll = Amount | Literal["all"]
#: ISO 4217, upper case.
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
#: The limits are the narrowest of all providers.
Metadata = Annotated[
    dict[
        Annotated[
            str,
            StringConstraints(min_length=1, max_length=40),
            Storable,
            AfterValidator(_without_brackets),
        ],
        Annotated[str, StringConstraints(max_length=500), Storable],
    ],
    Field(max_length=40),
]
#: The limit leaves room for the longest IDs that shops make.
OrderReference = Annotated[str, StringConstraints(min_length=1, max_length=200), Storable]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=500), Storable]
UtcTime = Annotated[AwareDatetime, AfterValidator(_utc)]
CaptureMethod = Literal["automatic", "manual"]

# What requests, commands, answers and published payments say of the same field.
CAPTURE_METHOD: Final = Field(
    description="Whether the money is taken as soon as it is authorized (automatic), or only "
    "reserved until a capture (manual)."
)
MAX_ATTEMPTS: Final = Field(
    description="How many attempts the customer has, each with a payment method of its own."
)
MAX_ATTEMPTS_ASKED: Final = Field(
    description="How many attempts the customer has, each with a payment method of its own. By "
    "default 1: the first decline cancels the payment, which ends FAILED, and a confirm with "
    "another card is rejected. Send 2 to 10 to offer another card: then a declined payment is in "
    "REQUIRES_ACTION, until a confirm or until it expires."
)
DESCRIPTION: Final = Field(description="A text of the client's, for people; null without one.")
ORDER_REFERENCE: Final = Field(
    description="The client's own reference, such as its order's number, to find the payment by. "
    "It need not be unique: several payments of one order may share it. Null or left out without "
    "one."
)
METADATA: Final = Field(
    description="The client's own keys and values, at most 40. They are kept with the payment "
    "and at the provider."
)
