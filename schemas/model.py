"""The base of every model here, and the field types they share."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.identity import PAYMENT_ID_PATTERN


class Model(BaseModel):
    """Frozen, and strict about names: an unknown field is an error, never silently dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")


PaymentId = Annotated[str, StringConstraints(pattern=PAYMENT_ID_PATTERN)]
#: Minor units (cents) of the currency. The limit is Stripe's: eight digits.
Amount = Annotated[int, Field(strict=True, gt=0, le=99_999_999)]
#: ISO 4217, upper case.
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=40)],
        Annotated[str, StringConstraints(max_length=500)],
    ],
    Field(max_length=40),
]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=500)]
UtcTime = AwareDatetime
