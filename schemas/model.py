"""The base of all models, and the field types they share."""

from datetime import UTC, datetime
from typing import Annotated

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
#: Minor units (cents) of the currency. Every provider accepts up to eight digits.
Amount = Annotated[int, Field(strict=True, gt=0, le=99_999_999)]
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
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=500), Storable]
UtcTime = Annotated[AwareDatetime, AfterValidator(_utc)]
