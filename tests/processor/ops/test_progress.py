"""A long command says how far it is, at which rate, and how long it will take."""

import asyncio
import io
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli import checks
from cli.main import main
from cli.progress import LOGGED_S, WATCHED_S, Progress
from processor.ops.audit.findings import Findings
from processor.ops.invariants import Evidence
from schemas.environment import PREFIX


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        """Always true."""
        return True


def _count(stream: io.StringIO, seconds: float) -> str:
    """Half a million of a million payments, counted in this time."""
    clock = Clock()
    progress = Progress(stream, clock)
    progress("records", 900, 1_000)
    progress("payments", 0, 1_000_000)
    clock.now = seconds
    progress("payments", 500_000, 1_000_000, "pay_m")
    return stream.getvalue()


def test_a_log_has_a_line_now_and_then() -> None:
    """It says where to go on, should the command be killed."""
    assert _count(io.StringIO(), LOGGED_S - 1) == ""
    assert _count(io.StringIO(), 100.0) == (
        "500,000 of 1,000,000 payments, 5,000 a second, 1 min 40 s left; "
        "goes on with --from pay_m\n"
    )


def test_a_terminal_has_one_line_that_changes() -> None:
    """At the end it is removed."""
    stream = Terminal()
    text = _count(stream, WATCHED_S)
    assert text.count("\n") == 0
    assert text.endswith("\r\x1b[K500,000 of 1,000,000 payments, 1,000,000 a second, 0 s left")
    Progress(stream).close()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_hours_are_said_as_such() -> None:
    """Nobody reads 7,261 seconds."""
    assert "2 h 01 min left" in _count(io.StringIO(), 7_261.0)


_SETTINGS = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:1", "DATABASE_URL": "postgresql://pay:x@127.0.0.1:1/payments",
    "STRIPE_ACCOUNT": "acct_1", "STRIPE_LIVEMODE": "false",
}  # fmt: skip


def _ending(error: BaseException, reached: str | None) -> Callable[..., Any]:
    """An audit that has found something by the time it ends with this error."""

    async def function(*args: Any) -> None:
        (findings,) = (each for each in args if isinstance(each, Findings))
        findings.check(Evidence(lag=3))
        findings.reached = reached
        raise error

    return function


@pytest.mark.parametrize("error", [ConnectionRefusedError("refused"), KeyboardInterrupt()])
def test_an_interrupted_audit_prints_what_it_found_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    """It does not end like one that found nothing, or that checked everything."""
    for name, value in _SETTINGS.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    monkeypatch.setattr(checks, "ops_audit", _ending(error, "pay_m"))
    assert main(["audit", "--since", "2026-03-01T00:00:00Z"]) not in {0, 1}
    said = capsys.readouterr()
    assert "3 records unprocessed" in said.out
    assert "go on with --since 2026-03-01T00:00:00+00:00 --from pay_m\n" in said.err
    monkeypatch.setattr(checks, "ops_audit", _ending(error, None))
    assert main(["audit"]) not in {0, 1}
    assert capsys.readouterr().out == ""


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["", "in background"])
def ctrl_c(request: pytest.FixtureRequest) -> Iterator[None]:
    """What Ctrl-C does: a shell's background job ignores it."""
    before = signal.signal(signal.SIGINT, request.param)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_an_audit_that_a_scheduler_ends_prints_what_it_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM is what `timeout` and systemd send. It means what Ctrl-C does."""

    async def ended(*args: Any) -> None:
        (findings,) = (each for each in args if isinstance(each, Findings))
        findings.check(Evidence(lag=3))
        findings.reached = "pay_m"
        signal.raise_signal(signal.SIGTERM)
        await asyncio.Event().wait()

    for name, value in _SETTINGS.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    monkeypatch.setattr(checks, "ops_audit", ended)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["audit"]) == 130
    said = capsys.readouterr()
    assert "3 records unprocessed" in said.out
    assert "go on with --from pay_m\n" in said.err
    assert signal.getsignal(signal.SIGTERM) is before
