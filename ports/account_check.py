"""Whether an account at a provider is set up as it must be: a question that an operator asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Subject(StrEnum):
    """What a finding is about."""

    KEY = "key"
    ACCOUNT = "account"
    #: Where the provider sends its events to.
    ENDPOINT = "endpoint"


class Verdict(StrEnum):
    """What was found."""

    RIGHT = "ok"
    WRONG = "wrong"
    #: Our API key may not ask it, or there is nothing to ask.
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class AccountFinding:
    """One thing that was asked about an account."""

    subject: Subject
    verdict: Verdict
    #: A sentence for people: what was found and, where it is wrong, what to do. It has no secret.
    text: str


class AccountCheck(Protocol):
    """Asks a provider about one account of ours."""

    #: The account's name here.
    name: str

    async def findings(self) -> Sequence[AccountFinding]:
        """Returns at least one finding about each subject that can be asked about.

        If the key itself is refused, only that is found. It makes a bounded number of requests.
        Raises ProviderUnavailableError.
        """
        ...

    async def close(self) -> None:
        """Closes connections."""
        ...
