"""What is asked of Stripe about an account: its key, whose it is, and its webhook endpoint."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from ports.account_check import AccountFinding, Subject, Verdict
from ports.provider import Account, ProviderUnavailableError
from providers.stripe.access.account_check import (
    PAGES_MAX,
    StripeAccountCheck,
    all_of,
    endpoint_findings,
)
from providers.stripe.translate import LISTED_TYPES
from providers.stripe.versions import NEWEST, OLDEST
from tests.conformance.kit.http_stub import http_stub
from tests.providers.stripe.builders import api_of, over_http
from tests.simulator.harness import API_KEY, READ_API_KEY, Simulator

pytestmark = [pytest.mark.anyio, over_http]

OURS: Final = Account("acct_sandbox", is_live=False)
PATH: Final = "/webhooks/stripe"
URL: Final = f"https://pay.example{PATH}"
ENDPOINT: Final[dict[str, Any]] = {
    "id": "we_1",
    "url": URL,
    "status": "enabled",
    "enabled_events": list(LISTED_TYPES),
    "api_version": NEWEST,
}


@asynccontextmanager
async def checking(
    address: str, key: str = API_KEY, account: Account = OURS
) -> AsyncIterator[StripeAccountCheck]:
    """Yields the check of an account that has our endpoint."""
    async with api_of(address, key) as api:
        yield StripeAccountCheck(api, account, PATH)


def verdicts(found: Sequence[AccountFinding]) -> list[tuple[Subject, Verdict]]:
    """What each finding is about, and what was found."""
    return [(each.subject, each.verdict) for each in found]


def listens(provider: Simulator, **changes: Any) -> str:
    """Makes an endpoint with our address. Returns its ID."""
    made = {"url": URL, "enabled_events": list(LISTED_TYPES), **changes}
    return provider.client.v1.webhook_endpoints.create(made).id  # type: ignore[arg-type]


async def test_an_account_that_is_set_up_is_right(provider: Simulator) -> None:
    """Another application's endpoint does not matter."""
    listens(provider)
    listens(provider, url="https://pay.example/hooks", enabled_events=["charge.captured"])
    async with checking(provider.base_url) as check:
        found = await check.findings()
    assert verdicts(found) == [(subject, Verdict.RIGHT) for subject in Subject]


async def test_a_refused_key_is_all_that_is_found(provider: Simulator) -> None:
    """It is no outage: only an operator can help."""
    async with checking(provider.base_url, "sk_test_deleted") as check:
        (found,) = await check.findings()
    assert (found.subject, found.verdict) == (Subject.KEY, Verdict.WRONG)
    assert "sk_test" not in found.text


async def test_a_key_of_another_account_is_found(provider: Simulator) -> None:
    """Its calls would be made there."""
    listens(provider)
    other = Account("acct_other", is_live=False)
    async with checking(provider.base_url, account=other) as check:
        found = await check.findings()
    assert verdicts(found)[1] == (Subject.ACCOUNT, Verdict.WRONG)
    assert "the key is of acct_sandbox, the settings say acct_other" in found[1].text


@pytest.mark.parametrize(
    ("name", "verdict"), [("acct_sandbox", Verdict.RIGHT), ("acct_other", Verdict.WRONG)]
)
async def test_what_a_restricted_key_may_not_ask_is_not_wrong(
    provider: Simulator, name: str, verdict: Verdict
) -> None:
    """The refusal names the account all the same."""
    account = Account(name, is_live=False)
    async with checking(provider.base_url, READ_API_KEY, account) as check:
        found = await check.findings()
    assert verdicts(found) == [
        (Subject.KEY, Verdict.RIGHT),
        (Subject.ACCOUNT, verdict),
        (Subject.ENDPOINT, Verdict.NOT_ASKED),
    ]


@pytest.mark.parametrize(
    ("code", "verdict"), [(None, Verdict.NOT_ASKED), ("account_invalid", Verdict.WRONG)]
)
async def test_a_refusal_that_names_no_account(code: str | None, verdict: Verdict) -> None:
    """A key without access to a connected account is wrong; one without the right may be right."""
    error = {"type": "invalid_request_error", "message": "No.", "code": code}
    async with http_stub() as stub:
        stub.response = ("403 Forbidden", json.dumps({"error": error}).encode())
        async with checking(stub.address) as check:
            found = await check.findings()
    assert verdicts(found)[1] == (Subject.ACCOUNT, verdict)


async def test_an_outage_is_no_finding(provider: Simulator) -> None:
    """Nothing was found out."""
    provider.set_faults(error_500_before=1.0)
    async with checking(provider.base_url) as check:
        with pytest.raises(ProviderUnavailableError):
            await check.findings()


async def test_a_connected_accounts_events_arrive_at_its_platforms_endpoint(
    provider: Simulator,
) -> None:
    """It is not asked for one of its own."""
    async with api_of(provider.base_url) as api:
        found = await StripeAccountCheck(api, OURS, None, "second").findings()
    assert verdicts(found)[-1] == (Subject.ENDPOINT, Verdict.NOT_ASKED)
    assert "the endpoint of second" in found[-1].text


async def test_whom_a_refusal_names_says_nothing_of_a_connected_account(
    provider: Simulator,
) -> None:
    """It may be the platform, whose key it is."""
    other = Account("acct_shop", is_live=False)
    async with api_of(provider.base_url, READ_API_KEY) as api:
        found = await StripeAccountCheck(api, other, None, "second").findings()
    assert verdicts(found)[1] == (Subject.ACCOUNT, Verdict.NOT_ASKED)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": "https://pay.example/webhooks/stripe/second"}, f"has the path {PATH}: create one"),
        ({"url": "https://pay.example/webhooks"}, "create one"),
        ({"status": "disabled"}, f"we_1 at {URL} is disabled: enable it"),
        (
            {"enabled_events": list(LISTED_TYPES[2:])},
            f"lacks the event types {', '.join(LISTED_TYPES[:2])}: add them",
        ),
        ({"enabled_events": []}, "lacks the event types"),
        ({"api_version": "2011-01-01"}, "2011-01-01 is not read"),
        ({"api_version": "2099-01-01.future"}, "is not read"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_named(changes: Mapping[str, Any], problem: str) -> None:
    """With what to do."""
    (found,) = endpoint_findings([{**ENDPOINT, **changes}], PATH)
    assert (found.subject, found.verdict) == (Subject.ENDPOINT, Verdict.WRONG)
    assert problem in found.text


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled_events": ["*"]},
        {"enabled_events": ["charge.captured", *LISTED_TYPES]},
        {"api_version": None},
        {"api_version": OLDEST.since},
        {"url": f"{URL}?from=stripe"},
    ],
)
def test_an_endpoint_may_have_more_than_is_needed(changes: Mapping[str, Any]) -> None:
    """Without a version of its own it has the account's."""
    (found,) = endpoint_findings([{**ENDPOINT, **changes}], PATH)
    assert found.verdict is Verdict.RIGHT


def test_each_enabled_endpoint_must_be_right() -> None:
    """A disabled one beside it gets nothing, and is no problem. Every problem is its own."""
    disabled = {**ENDPOINT, "id": "we_2", "status": "disabled", "enabled_events": []}
    lacking = {**ENDPOINT, "id": "we_3", "enabled_events": [], "api_version": "2011-01-01"}
    assert verdicts(endpoint_findings([disabled, ENDPOINT], PATH)) == [
        (Subject.ENDPOINT, Verdict.RIGHT)
    ]
    found = endpoint_findings([ENDPOINT, lacking], PATH)
    assert [each.text.partition(" ")[0] for each in found] == ["we_3", "we_3"]


def pages(*found: Sequence[str], is_endless: bool = False) -> Callable[..., Any]:
    """Returns what reads these pages of a list, or the last one again and again."""
    after = [each[-1] for each in found]

    async def read(_path: str, *, starting_after: str | None = None, limit: int) -> Any:
        assert limit == 100
        at = 0 if starting_after is None else after.index(starting_after) + 1
        page = found[min(at, len(found) - 1)]
        return {"data": [{"id": e} for e in page], "has_more": is_endless or at + 1 < len(found)}

    return read


async def test_every_page_of_the_list_is_read() -> None:
    """A list without an end is no answer."""
    found = await all_of(pages(["a", "b"], ["c"]), "/v1/webhook_endpoints")
    assert [each["id"] for each in found] == ["a", "b", "c"]
    with pytest.raises(ProviderUnavailableError, match=f"within {PAGES_MAX} pages"):
        await all_of(pages(["a"], is_endless=True), "/v1/webhook_endpoints")
