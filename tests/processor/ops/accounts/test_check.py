"""``accounts check``: a line per finding, and an exit code for cron."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.main import COULD_NOT_RUN, main
from providers.stripe.translate import LISTED_TYPES
from schemas.environment import PREFIX
from tests.providers.test_registry import SECOND as EXAMPLEPAY
from tests.simulator.harness import API_KEY, READ_API_KEY, Receiver, Simulator, serving

SECOND = {
    "provider": "stripe", "account": "acct_2", "mode": "test", "api_key": "env:SECOND_KEY",
    "webhook_secrets": ["env:SECOND_SECRET"],
}  # fmt: skip
SHOP = {"provider": "stripe", "account": "acct_3", "mode": "test", "platform": "stripe"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    """One simulator for all tests here."""
    with serving(Receiver()) as started:
        yield started


@pytest.fixture
def provider(shared: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """The simulator with our endpoint; our settings are of its account."""
    shared.control("reset")
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": {"second": SECOND, "shop": SHOP}}))
    for name, value in {
        "STRIPE_ACCOUNT": "acct_sandbox", "STRIPE_LIVEMODE": "false", "STRIPE_API_KEY": API_KEY,
        "STRIPE_API_BASE": shared.base_url, "ACCOUNTS_FILE": str(path),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    monkeypatch.setenv("SECOND_KEY", READ_API_KEY)
    shared.client.v1.webhook_endpoints.create(
        {"url": "https://pay.example/webhooks/stripe", "enabled_events": ["*"]}
    )
    return shared


@pytest.mark.usefixtures("provider")
def test_an_account_that_is_right_exits_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each finding; only the named accounts are asked."""
    assert main(["accounts", "check", "stripe"]) == 0
    key, account, endpoint = capsys.readouterr().out.splitlines()
    assert key == "stripe  key  ok  it works, in test mode"
    assert account == "stripe  account  ok  the key is of acct_sandbox"
    assert endpoint.startswith("stripe  endpoint  ok  we_1")


def test_something_wrong_exits_with_one(
    provider: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in JSON, which has the same findings by account."""
    (made,) = provider.client.v1.webhook_endpoints.list().data
    provider.client.v1.webhook_endpoints.update(made.id, {"enabled_events": ["charge.captured"]})
    assert main(["accounts", "check", "stripe"]) == 1
    assert f"lacks the event types {LISTED_TYPES[0]}," in capsys.readouterr().out
    assert main(["accounts", "check", "--json", "stripe"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["verdict"] for each in found["stripe"]] == ["ok", "ok", "wrong"]


@pytest.mark.usefixtures("provider")
def test_what_a_key_may_not_ask_is_shown_and_not_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The right to read endpoints is only for this."""
    monkeypatch.setenv(f"{PREFIX}STRIPE_API_KEY", READ_API_KEY)
    assert main(["accounts", "check", "stripe"]) == 0
    assert "stripe  endpoint  not asked  the key may not read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, "second  key  wrong  accounts.second.api_key: env:SECOND_KEY is not set"),
        ("sk_live_12345678", "second  key  wrong  accounts.second.api_key is a live key"),
        ("sk_test_12345678", "second  key  wrong  Stripe refuses it"),
        (API_KEY, "second  account  wrong  the key is of acct_sandbox"),
    ],
)
@pytest.mark.usefixtures("provider")
def test_one_accounts_problem_stops_no_other_check(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: str | None,
    problem: str,
) -> None:
    """Without names every account is asked, the environment's first."""
    monkeypatch.delenv("SECOND_KEY")
    if key is not None:
        monkeypatch.setenv("SECOND_KEY", key)
    assert main(["accounts", "check"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("stripe  key  ok")
    assert any(line.startswith(problem) for line in lines)
    assert lines[-1].startswith("shop  endpoint  not asked  its events arrive at the endpoint of ")


def test_an_outage_exits_with_one(provider: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    """Not everything that was requested was done."""
    provider.set_faults(error_500_before=1.0)
    assert main(["accounts", "check", "stripe"]) == 1
    assert "stripe  account  wrong  it can't be asked" in capsys.readouterr().out


@pytest.mark.usefixtures("provider")
def test_an_unknown_account_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    """The error names those that there are."""
    assert main(["accounts", "check", "third"]) == COULD_NOT_RUN
    assert "no account third; there are: stripe, second, shop" in capsys.readouterr().err


def test_an_account_of_the_file_has_an_endpoint_of_its_own_address(
    provider: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another account's endpoint brings none of its events."""
    monkeypatch.setenv("SECOND_KEY", API_KEY)

    def endpoint() -> str:
        main(["accounts", "check", "second"])
        return capsys.readouterr().out.splitlines()[-1]

    assert endpoint().startswith("second  endpoint  wrong")
    provider.client.v1.webhook_endpoints.create(
        {"url": "https://pay.example/webhooks/stripe/second", "enabled_events": ["*"]}
    )
    assert endpoint().startswith("second  endpoint  ok")


@pytest.mark.usefixtures("provider")
def test_a_provider_without_a_check_is_shown_and_not_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing says that it is right either."""
    for name, value in EXAMPLEPAY.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    assert main(["accounts", "check", "examplepay"]) == 0
    assert capsys.readouterr().out == (
        "examplepay  account  not asked  its provider has no check\n"
    )
