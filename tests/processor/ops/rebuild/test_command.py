"""What ``payments rebuild`` takes, and what it prints where."""

import asyncio
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cli.main import main
from cli.rebuild import decode, describe, describe_progress, since
from ports.records import Decode, DecodedInput
from processor.ops.rebuild import progress
from processor.ops.rebuild import run as rebuilding
from processor.ops.rebuild.progress import Done, Progress, reporting
from processor.ops.rebuild.results import RebuildResult, TableComparison
from processor.ops.rebuild.run import Scope
from schemas import headers
from schemas.environment import PREFIX
from tests.support.builders import NOW, Log, payment

ID = payment("of the command")
SETTINGS = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:1", "DATABASE_URL": "postgresql://payments@127.0.0.1:1/payments",
    "STRIPE_ACCOUNT": "acct_1", "STRIPE_LIVEMODE": "false",
}  # fmt: skip


def result(**changes: Any) -> RebuildResult:
    """A result in which nothing differs."""
    same: dict[str, Any] = {
        "records": 9, "inputs": 7, "not_checkable": 0, "newer": 0, "quarantined": 0,
        "tables": (TableComparison("payments", 3, 0, ()),),
        "facts": TableComparison("facts", 0, 0, ()),
    }  # fmt: skip
    return RebuildResult(**(same | changes))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of the rebuild that the command starts; it reports once."""
    found: list[Any] = []

    async def rebuild(*given: Any, report: Callable[[Progress | str], None], **named: Any) -> Any:
        found.extend([*given, named])
        report("a note")
        return result()

    monkeypatch.setattr(rebuilding, "rebuild", rebuild)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    return found


def test_its_options_say_which_payments(asked: list[Any]) -> None:
    """Without any it is all; named ones, or those with an input since a time."""
    assert main(["rebuild"]) == 0
    assert asked[4] == Scope()
    assert not asked[5]["again"]
    asked.clear()
    assert main(["rebuild", "--payment", ID, "--payment", payment("other"), "--jobs", "3"]) == 0
    assert asked[4] == Scope(payment_ids=(ID, payment("other")))
    assert asked[5]["jobs"] == 3
    asked.clear()
    assert main(["rebuild", "--since", "2026-03-01T12:00:00Z"]) == 0
    assert asked[4] == Scope(since=NOW)
    asked.clear()
    assert main(["rebuild", "--again"]) == 0
    assert asked[5]["again"]


def test_progress_goes_to_standard_error(
    asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output has the result alone."""
    assert main(["rebuild"]) == 0
    assert asked
    printed = capsys.readouterr()
    assert printed.err == "a note\n"
    assert printed.out.splitlines()[0] == "7 inputs decided again, of 9 records"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("30m", NOW - timedelta(minutes=30)),
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-02-28T13:00:00+01:00", datetime(2026, 2, 28, 12, tzinfo=UTC)),
    ],
)
def test_since_is_a_duration_or_a_time(text: str, meant: datetime) -> None:
    """A duration counts back from now."""
    assert since(text, NOW) == meant


def test_progress_has_a_rate_and_the_time_left() -> None:
    """The time left is unknown at first, and not said at the end."""
    begun = Progress(
        step="deciding again", done=30, of=120, unit="parts", per_second=5120.4,
        handled="inputs", left_s=754.2,
    )  # fmt: skip
    text = "deciding again: 30 of 120 parts, 5,120 inputs a second"
    assert describe_progress(begun) == f"{text}, 0:12:34 left"


@pytest.mark.anyio
async def test_the_time_left_is_that_of_what_this_run_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was done before an interruption took no time now."""
    reports: list[Any] = []
    reads = iter([Done(80, 100, 8_000), *(Done(90, 100, 9_000) for _ in range(99))])

    async def read() -> Done:
        return next(reads)

    now = iter([100.0, *(120.0 for _ in range(99))])
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    monkeypatch.setattr(progress, "REPORT_EVERY_S", 0.01)
    async with (
        reporting("deciding again", "parts", read, reports.append, handled="inputs"),
        asyncio.timeout(20),
    ):
        while not reports:  # noqa: ASYNC110  # it is only called
            await asyncio.sleep(0.01)
    assert (reports[0].done, reports[0].of) == (90, 100)
    assert reports[0].per_second == pytest.approx(50)
    assert reports[0].left_s == pytest.approx(20)


@pytest.mark.anyio
async def test_more_may_be_done_than_was_expected() -> None:
    """How much there is to copy is an estimate. Then nothing is left, and never less."""
    reports: list[Any] = []
    reads = iter([Done(0, 100, 0), Done(110, 100, 110)])

    async def read() -> Done:
        return next(reads)

    async with reporting("copying", "records", read, reports.append):
        pass
    assert [(each.done, each.of, each.left_s) for each in reports] == [(110, 110, 0)]


def test_what_could_not_be_decided_is_named() -> None:
    """Payments whose log is incomplete, and those that were in use; contradictions are shown."""
    found = result(
        not_checkable=7,
        not_checkable_first=(ID,),
        newer=3,
        facts=TableComparison("facts", 7, 1, (f"{ID} is stored as x, its facts say y",)),
    )
    assert not found.is_equal
    assert "\n".join(describe(found, Scope())) == (
        "7 inputs decided again, of 9 records\n"
        "payments                 3 rows, 0 differ\n"
        "7 payments can't be checked, 0 are quarantined\n"
        f"     {ID} and 6 more: their log is incomplete, "
        "so they were compared with their own facts\n"
        "facts                    7 payments, 1 contradictions\n"
        f"     {ID} is stored as x, its facts say y\n"
        "3 payments left out: they had an input after the log was copied\n"
        "rebuild --payment ID keeps what is decided again, in the schema rebuild"
    )


def test_the_decoder_can_be_sent_to_other_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It knows the accounts of the file as it was at the start."""
    account = {"provider": "stripe", "account": "acct_2", "mode": "test"}
    secrets = {"api_key": "env:KEY", "webhook_secrets": ["env:SECRET"]}
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps({"accounts": {"second": account | secrets}}))
    values = {"STRIPE_ACCOUNT": "acct_1", "STRIPE_LIVEMODE": "false", "ACCOUNTS_FILE": str(file)}
    for name, value in values.items():
        monkeypatch.setenv(f"PAYMENTS_{name}", value)
    sent: Decode = pickle.loads(pickle.dumps(decode()))  # noqa: S301  # our own
    record = Log().webhook(ID, "succeeded", "evt_1")
    named = {headers.PROVIDER: "second", headers.EVENT_ID: "second:evt_1"}
    found = sent(replace(record, headers={**record.headers, **named}))
    assert isinstance(found, DecodedInput)
    assert found.provider == "second"
