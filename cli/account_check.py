"""``accounts check``: asks the providers whether our accounts are set up as they must be."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from cli.terminal import say
from ports.account_check import AccountCheck, AccountFinding, Subject, Verdict
from ports.provider import ProviderUnavailableError
from providers.registry import account_check, all_accounts
from schemas.settings import SettingsError


def check_accounts(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Only these accounts.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Asks the provider of each account about its key, whose it is, and the webhook endpoint.

    It needs the worker's settings and API keys, changes nothing, and costs about two requests for
    each account. Exit code 1: something is wrong. What a key may not ask is shown as not asked,
    and is not wrong.
    """
    own, file = all_accounts()
    known = {**own, **file.accounts}
    if unknown := [name for name in names or () if name not in known]:
        raise SettingsError(
            f"there is no account {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    found = {name: asyncio.run(_findings(name)) for name in names or known}
    if as_json:
        plain = {name: [asdict(each) for each in findings] for name, findings in found.items()}
        say(json.dumps(plain, indent=2))
    else:
        for name, findings in found.items():
            for each in findings:
                say(f"{name}  {each.subject}  {each.verdict}  {each.text}")
    all_found = (each for findings in found.values() for each in findings)
    return 1 if any(each.verdict is Verdict.WRONG for each in all_found) else 0


async def _findings(name: str) -> Sequence[AccountFinding]:
    """Returns what is found of one account. What fails there stops no other account's check."""
    try:
        check = account_check(name)
    except SettingsError as error:
        return [AccountFinding(Subject.KEY, Verdict.WRONG, str(error))]
    if check is None:
        text = "its provider has no check"
        return [AccountFinding(Subject.ACCOUNT, Verdict.NOT_ASKED, text)]
    try:
        return await _asked(check)
    finally:
        await check.close()


async def _asked(check: AccountCheck) -> Sequence[AccountFinding]:
    try:
        return await check.findings()
    except ProviderUnavailableError as error:
        return [AccountFinding(Subject.ACCOUNT, Verdict.WRONG, f"it can't be asked: {error}")]
