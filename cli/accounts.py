"""``accounts``: shows the provider accounts, adds one to their file, rotates webhook secrets."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from cli.terminal import is_terminal, say, say_table
from providers.registry import FILE_PROVIDER, all_accounts, check_file
from schemas.accounts.editing import Document, rewrite, with_account, with_secrets
from schemas.accounts.provider_accounts import (
    NAME,
    AccountFile,
    AccountFileError,
    Mode,
    ProviderAccount,
    TenantAccounts,
)
from schemas.accounts.secret_references import checked, path_of
from schemas.settings import ACCOUNT_ID, AccountsSettings, SettingsError, load

_COLUMNS = ("name", "provider", "account", "mode", "platform", "secrets")
_REFERENCE = "Where it stands: env:NAME or file:/absolute/path. Never the secret itself."


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise typer.BadParameter("a name is of a to z, 0 to 9 and hyphens, from a letter on")
    return text


def _id(text: str) -> str:
    if not re.fullmatch(ACCOUNT_ID, text):
        raise typer.BadParameter(f"the ID of an account has the form {ACCOUNT_ID}")
    return text


def _reference(text: str) -> str:
    try:
        return checked(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


_NoticeSecrets = Annotated[
    list[str] | None,
    typer.Option(
        metavar="REF",
        parser=_reference,
        help="A signing secret of its endpoint for notices. Repeatable.",
    ),
]


def list_accounts(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> int:
    """Shows every provider account, the environment's first, and who may use them.

    Of secrets it shows where they stand. It reads none.
    """
    own, file = all_accounts()
    accounts = {**own, **file.accounts}
    if as_json:
        shown = {"accounts": _plain(accounts), "tenants": _plain(file.tenants)}
        say(json.dumps({**shown, "other_tenants": list(own)}, indent=2))
        return 0
    rows = [_row(name, each) for name, each in accounts.items()]
    if is_terminal():
        say_table(_COLUMNS, rows)
    else:
        for row in rows:
            say("  ".join(cell or "-" for cell in row))
    for text in _tenants(file, own):
        say(text)
    return 0


def _plain(models: Mapping[str, BaseModel]) -> dict[str, Any]:
    return {
        name: each.model_dump(mode="json", exclude_defaults=True) for name, each in models.items()
    }


def _row(name: str, a: ProviderAccount) -> tuple[str, ...]:
    fields = {"api_key": a.api_key, "read_api_key": a.read_api_key}
    secrets = [f"{field}={reference}" for field, reference in fields.items() if reference]
    secrets += [f"webhook_secrets={reference}" for reference in a.webhook_secrets]
    secrets += [f"notice_secrets={reference}" for reference in a.notice_secrets]
    return name, a.provider, a.account, a.mode, a.platform or "", " ".join(secrets)


def _tenants(file: AccountFile, own: Mapping[str, ProviderAccount]) -> Iterator[str]:
    for tenant, each in file.tenants.items():
        yield f"tenant {tenant}: {_choice(each)}"
    others = "every other tenant" if file.tenants else "every tenant"
    yield f"{others}: {', '.join(own)}; the default is PAYMENTS_DEFAULT_PROVIDER"


def _choice(each: TenantAccounts) -> str:
    return ", ".join([f"{each.default} (default)", *sorted(each.names - {each.default})])


def add_account(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", parser=_name, help="Ours for it: a to z, 0 to 9 and hyphens."
        ),
    ],
    account: Annotated[
        str,
        typer.Option(metavar="ID", parser=_id, help="The provider's own ID of the account."),
    ],
    mode: Annotated[Mode, typer.Option(help="Whether its money is real.")],
    api_key: Annotated[
        str | None,
        typer.Option(metavar="REF", parser=_reference, help=f"The worker's API key. {_REFERENCE}"),
    ] = None,
    webhook_secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REF", parser=_reference, help="A signing secret of its endpoint. Repeatable."
        ),
    ] = None,
    notice_secret: _NoticeSecrets = None,
    read_api_key: Annotated[
        str | None,
        typer.Option(
            metavar="REF", parser=_reference, help="The key with which client secrets are read."
        ),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            parser=_name,
            help="The account through which this one is reached. It has the key and the secrets.",
        ),
    ] = None,
    requests_per_s: Annotated[
        float | None,
        typer.Option(metavar="N", help="Requests that the provider takes from it in a second."),
    ] = None,
) -> int:
    """Adds an account to the file PAYMENTS_ACCOUNTS_FILE.

    The whole file is checked before it is replaced. An existing account is never changed. Let a
    tenant use it in the file itself, under `tenants`.
    """
    entry = {
        "provider": FILE_PROVIDER, "account": account, "mode": mode,
        "platform": platform, "api_key": api_key, "read_api_key": read_api_key,
        "webhook_secrets": webhook_secret or None, "notice_secrets": notice_secret or None,
        "requests_per_s": requests_per_s,
    }  # fmt: skip
    given = {field: value for field, value in entry.items() if value is not None}
    _change(lambda document: with_account(document, name, given))
    say(f"{name} is added")
    say("the ingress, the stream and the router follow within a second")
    say("restart the worker, which makes its calls; and the ingress, if it reads client secrets")
    return 0


def rotate_secrets(
    name: Annotated[str, typer.Argument(metavar="NAME", parser=_name, help="Its name.")],
    add: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REF", parser=_reference, help=f"A new webhook secret. {_REFERENCE} Repeatable."
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REF", parser=_reference, help="One that is no longer valid. Repeatable."
        ),
    ] = None,
    *,
    notices: Annotated[
        bool, typer.Option("--notices", help="Of its endpoint for notices instead.")
    ] = False,
) -> int:
    """Adds webhook secrets to an account of the file, or removes some.

    A webhook that is signed with any of them is accepted: add the new one, let the provider use
    it, then remove the old one. The last one can't be removed.
    """
    if not add and not remove:
        raise typer.BadParameter("--add or --remove is needed")
    kind = "notice_secrets" if notices else "webhook_secrets"
    _change(lambda document: with_secrets(document, name, add or (), remove or (), kind))
    say(f"{name} is changed: running programs follow within a second")
    for reference in add or ():
        if path_of(reference) is None:
            say(f"{reference} must be in their environment: restart the ingress if it is not")
    return 0


def _change(change: Callable[[Document], Document]) -> None:
    """Changes the file of the settings. Raises SettingsError."""
    try:
        rewrite(_path(), change, check_file)
    except AccountFileError as error:
        raise SettingsError(f"PAYMENTS_ACCOUNTS_FILE: {error}") from None


def _path() -> Path:
    path = load(AccountsSettings).accounts_file
    if path is None:
        raise SettingsError("PAYMENTS_ACCOUNTS_FILE: set it to the file; an empty one has {}")
    return path
