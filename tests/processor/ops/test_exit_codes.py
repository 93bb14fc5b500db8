"""Every command's exit code shows its result, and a server's whether it must be started again."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from psycopg.conninfo import conninfo_to_dict

from cli import checks, terminal
from cli import replay as replaying
from cli.main import main
from ports.errors import (
    FencedError,
    LoopFailedError,
    MissingTopicsError,
    PublishError,
    StoreUnavailableError,
)
from postgres.ops.operator import Quarantine
from processor.ops import dead_letters as sending
from processor.ops import replay as releasing
from processor.ops.audit.findings import Findings
from processor.ops.dead_letters import ReplaySummary
from processor.ops.invariants import Evidence
from processor.ops.rebuild import run as rebuilding
from processor.ops.rebuild.results import RebuildResult, TableComparison
from processor.ops.replay import ReplayResult
from processor.stream import bootstrap
from schemas.environment import PREFIX
from tests.support.builders import NOW


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets what a command needs. Nothing listens at these addresses."""
    for name, value in {
        "KAFKA_BOOTSTRAP": "127.0.0.1:1", "DATABASE_URL": "postgresql://pay:x@127.0.0.1:1/payments",
        "STRIPE_ACCOUNT": "acct_1", "STRIPE_LIVEMODE": "false",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"{PREFIX}{name}", value)


def returning(result: object, given: list[Any] | None = None) -> Callable[..., Any]:
    """Returns an async function with this result. ``given`` gets its arguments."""

    async def function(*args: object, **named: object) -> Any:
        if given is not None:
            given.extend([*args, named])
        return result

    return function


def finding(evidence: Evidence) -> Callable[..., Any]:
    """Returns an audit that checks this evidence."""

    async def function(*args: Any) -> None:
        (findings,) = (each for each in args if isinstance(each, Findings))
        findings.check(evidence)

    return function


def raising(error: BaseException) -> Callable[[], int]:
    """Returns a program that ends with this error."""

    def program() -> int:
        raise error

    return program


@pytest.mark.parametrize(
    "error",
    [
        KafkaConnectionError(),
        StoreUnavailableError("unavailable"),
        PublishError("unavailable"),
        ConnectionRefusedError("refused"),
        TimeoutError(),
        LoopFailedError("the router has stopped"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_server_is_started_again_after_an_outage(error: Exception) -> None:
    """75 is the exit code on which supervisors restart."""
    assert main(["worker"], {"worker": raising(error)}) == 75


@pytest.mark.parametrize("error", [MissingTopicsError("missing: x"), FencedError("newer owner")])
def test_a_server_that_only_a_person_can_help_exits_with_two(error: Exception) -> None:
    """A restart would fail in the same way."""
    assert main(["stream"], {"stream": raising(error)}) == 2


def test_a_folder_that_cannot_be_written_is_no_outage() -> None:
    """The error ends the server with its traceback, and no supervisor hides it by restarts."""
    with pytest.raises(PermissionError):
        main(["stream"], {"stream": raising(PermissionError("the tables' folder"))})


@pytest.mark.parametrize("folder", ["/proc/nope", "/dev/null", "/proc"])
def test_a_folder_of_the_settings_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    """One line names the variable, before any broker is asked."""
    monkeypatch.setenv(f"{PREFIX}DATA_DIR", folder)
    assert main(["stream"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"payments stream: PAYMENTS_DATA_DIR: '{folder}' can't be written: ")


@pytest.mark.parametrize("code", [0, 75])
def test_a_servers_own_exit_code_is_kept(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """The stream ends with 75 itself when it must be started again."""
    monkeypatch.setattr(bootstrap, "run_stream", lambda: code)
    assert main(["stream"]) == code


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (ReplaySummary(sent=2, already_sent=1), 0),
        (ReplaySummary(sent=2, unknown_origin=1), 1),
        (ReplaySummary(sent=2, altered=1), 1),
        (ReplaySummary(sent=2, missing=((0, 9),)), 1),
    ],
)
def test_a_dead_letter_that_was_not_sent_exits_with_one(
    monkeypatch: pytest.MonkeyPatch, found: ReplaySummary, code: int
) -> None:
    """One that was sent before counts as sent."""
    monkeypatch.setattr(sending, "replay", returning(found))
    assert main(["dead-letters", "--replay", "--all"]) == code


@pytest.mark.parametrize(
    ("options", "wanted", "again"),
    [
        (["--all"], None, False),
        (["--all", "--again"], None, True),
        (["--position", "0:7", "--position", "1:8"], {(0, 7), (1, 8)}, False),
    ],
)
def test_only_what_is_named_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, options: list[str], wanted: object, *, again: bool
) -> None:
    """What was sent before is sent again only with ``--again``."""
    given: list[Any] = []
    monkeypatch.setattr(sending, "replay", returning(ReplaySummary(), given))
    assert main(["dead-letters", "--replay", *options]) == 0
    assert given[3] == wanted
    assert given[-1] == {"again": again}


def test_a_dead_letter_that_is_not_there_exits_with_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty list of all of them is no failure."""

    async def none(_bootstrap: str) -> AsyncIterator[Any]:
        return
        yield

    monkeypatch.setattr(sending, "replayed", returning({}))
    monkeypatch.setattr(sending, "read_dead_letters", none)
    assert main(["dead-letters", "--show", "0:9"]) == 1
    assert main(["dead-letters"]) == 0
    assert capsys.readouterr().out == "0:9 is not on the topic\n0 dead letters\n"


QUARANTINE = Quarantine(
    payment_id="pay_1", event_id="evt_1", error="a defect\nits row", quarantined_at=NOW
)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (ReplayResult((), {}, (), ()), 0),
        (ReplayResult((), {}, {"pay_1"}, ()), 1),
        (ReplayResult((), {}, (), ["pay_1"]), 1),
        (ReplayResult((QUARANTINE,), {}, (), ()), 1),
    ],
)
def test_a_payment_that_is_not_released_exits_with_one(
    monkeypatch: pytest.MonkeyPatch, result: ReplayResult, code: int
) -> None:
    """It is still quarantined, never was, or its release was not read in time."""
    monkeypatch.setattr(releasing, "replay", returning(result))
    assert main(["replay", "--all"]) == code


def test_the_list_of_quarantines_shows_the_first_line_of_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other lines repeat the row, which a client wrote."""
    monkeypatch.setattr(replaying, "_quarantines", returning([QUARANTINE]))
    assert main(["replay", "--list"]) == 0
    assert "at evt_1: a defect\n" in (out := capsys.readouterr().out)
    assert "its row" not in out


@pytest.mark.parametrize("different", [0, 1])
def test_a_rebuilt_row_that_differs_exits_with_one(
    monkeypatch: pytest.MonkeyPatch, different: int
) -> None:
    """The same holds for the audit, with the option ``--rebuild``."""
    tables = (
        TableComparison("payments", 3, 0, ()),
        TableComparison("refunds", 3, different, ("it differs",) * different),
    )
    result = RebuildResult(
        records=1,
        inputs=1,
        not_checkable=0,
        newer=0,
        quarantined=0,
        tables=tables,
        facts=TableComparison("facts", 0, 0, ()),
    )
    monkeypatch.setattr(rebuilding, "rebuild", returning(result))
    monkeypatch.setattr(checks, "ops_audit", returning(None))
    assert main(["rebuild"]) == different
    assert main(["audit", "--rebuild"]) == different


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_violation_exits_with_one(
    monkeypatch: pytest.MonkeyPatch, lag: int, options: list[str]
) -> None:
    """Whichever way the result is printed."""
    monkeypatch.setattr(checks, "ops_audit", finding(Evidence(lag=lag)))
    assert main(["audit", *options]) == lag


def test_a_command_does_not_wait_for_a_silent_postgres() -> None:
    """Connecting is limited, and a host that vanished is noticed."""
    found = conninfo_to_dict(terminal.database_url())
    assert (found["connect_timeout"], found["tcp_user_timeout"]) == ("5", "10000")
