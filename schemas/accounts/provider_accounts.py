"""The file of further provider accounts: what each one is, and which tenants may use it.

The account in the environment's settings has its provider's name and stands in no file. An account
here has a name of its own, and everything that goes by provider goes by that name: calls, look-ups,
event lists, limits. Secrets are references only.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from schemas.accounts.secret_references import SecretReference
from schemas.model import Model, ShortText

BYTES_MAX: Final = 1_048_576
Mode = Literal["live", "test"]
NAME: Final = "[a-z][a-z0-9-]{0,39}"
#: The last part of the path of an endpoint for notices.
NOTICES: Final = "notices"
AccountName = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]


class AccountFileError(Exception):
    """The file can't be read, or is wrong. The text names the field and the fix."""


class ProviderAccount(Model):
    """One account at a provider, in one mode."""

    provider: ShortText
    #: The provider's own name for it, such as acct_....
    account: ShortText
    mode: Mode
    #: With which the worker makes calls. A connected account has none: it uses its platform's.
    api_key: SecretReference | None = None
    #: With which the ingress reads client secrets; without it none are served.
    read_api_key: SecretReference | None = None
    #: A webhook that is signed with any of them is accepted.
    webhook_secrets: tuple[SecretReference, ...] = ()
    #: The same of its endpoint for notices; without one it has no such endpoint.
    notice_secrets: tuple[SecretReference, ...] = ()
    #: The name of the account through which this one is reached, and at whose endpoint its events
    #: arrive. None: it is an account by itself.
    platform: AccountName | None = None
    #: Requests that the provider takes from it in one second. None: as the provider documents.
    requests_per_s: Annotated[float, Field(gt=0, le=100_000)] | None = None
    #: Those of one endpoint. None: as the settings say.
    endpoint_requests_per_s: Annotated[float, Field(gt=0, le=100_000)] | None = None

    @model_validator(mode="after")
    def _has_its_secrets(self) -> Self:
        if self.platform is None and (self.api_key is None or not self.webhook_secrets):
            raise ValueError("set api_key and webhook_secrets, or the platform that has them")
        if self.platform is not None and (
            self.api_key or self.webhook_secrets or self.notice_secrets
        ):
            raise ValueError("a connected account has no secrets of its own: set them on platform")
        return self


class TenantAccounts(Model):
    """The accounts of one tenant: the one of payments that name none, and all it may name."""

    default: AccountName
    allowed: tuple[AccountName, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All accounts that the tenant may use."""
        return frozenset({self.default, *self.allowed})


class AccountFile(Model):
    """The whole file. A tenant that it does not name uses the environment's accounts alone."""

    accounts: dict[AccountName, ProviderAccount] = Field(default_factory=dict)
    tenants: dict[ShortText, TenantAccounts] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _platforms_are_platforms(self) -> Self:
        for name, each in self.accounts.items():
            platform = self.accounts.get(each.platform or "")
            if platform is None:
                continue  # none, or one of the environment's: the registry knows those
            if platform.platform is not None:
                raise ValueError(f"accounts.{name}.platform: {each.platform} is no platform itself")
            if (platform.provider, platform.mode) != (each.provider, each.mode):
                raise ValueError(f"accounts.{name}: provider and mode differ from its platform's")
        return self

    @model_validator(mode="after")
    def _is_no_path(self) -> Self:
        if NOTICES in self.accounts:
            raise ValueError(f"accounts.{NOTICES}: its path would be that of notices: rename it")
        return self

    @model_validator(mode="after")
    def _is_named_once(self) -> Self:
        seen: dict[tuple[str, str, str], str] = {}
        for name, each in self.accounts.items():
            first = seen.setdefault((each.provider, each.account, each.mode), name)
            if first != name:
                raise ValueError(f"accounts.{first} and accounts.{name} are one account")
        return self


def read_accounts(path: Path) -> AccountFile:
    """Returns what the file says. Raises AccountFileError."""
    return parsed(path, document_of(path))


def document_of(path: Path) -> Any:
    """Returns the JSON in the file, which may be wrong. Raises AccountFileError."""
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
        if len(text) > BYTES_MAX:
            raise AccountFileError(f"{path}: it is larger than {BYTES_MAX} bytes")
        return json.loads(text)
    except OSError as error:
        raise AccountFileError(f"{path}: it can't be read: {type(error).__name__}") from error
    except (ValueError, RecursionError) as error:
        raise AccountFileError(f"{path}: it is no JSON: write an object with accounts") from error


def parsed(path: Path, document: Any) -> AccountFile:
    """Returns what the file's JSON says. Raises AccountFileError; ``path`` is for its text."""
    try:
        return AccountFile.model_validate(document)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        lines = (f"{'.'.join(map(str, p['loc'])) or 'file'}: {p['msg']}" for p in problems)
        raise AccountFileError(f"{path}: {'; '.join(lines)}") from None
