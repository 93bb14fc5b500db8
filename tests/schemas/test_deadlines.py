"""Settings of different groups that do not go together are refused at the start, by name."""

import pytest

from schemas.deadlines import check_deadlines, check_retentions
from schemas.settings import KafkaSettings, SettingsError, WorkerSettings

_STRIPE = {
    "PAYMENTS_STRIPE_API_KEY": "sk_test_1",
    "PAYMENTS_STRIPE_ACCOUNT": "acct_1",
    "PAYMENTS_STRIPE_LIVEMODE": "false",
}


@pytest.mark.parametrize(("deadline_s", "is_refused"), [(19.9, True), (20.0, False)])
def test_a_provider_has_no_longer_time_than_an_attempt(
    monkeypatch: pytest.MonkeyPatch, deadline_s: float, *, is_refused: bool
) -> None:
    """Otherwise every slow answer would be lost, and its outcome unknown."""
    for name, value in {**_STRIPE, "PAYMENTS_STRIPE_TIMEOUT_S": "20"}.items():
        monkeypatch.setenv(name, value)
    work = WorkerSettings(call_deadline_s=deadline_s)
    if not is_refused:
        check_deadlines(work)
        return
    with pytest.raises(SettingsError, match="PAYMENTS_STRIPE_TIMEOUT_S is 20, but PAYMENTS_CALL"):
        check_deadlines(work)


@pytest.mark.parametrize(("history_s", "is_refused"), [(99.0, True), (100.0, False)])
def test_the_history_is_no_shorter_than_the_log(history_s: float, *, is_refused: bool) -> None:
    """Otherwise a rejected command that is read again could be carried out."""
    kafka = KafkaSettings(kafka_bootstrap="localhost:9092", log_retention_s=100.0)
    work = WorkerSettings(history_retention_s=history_s)
    if not is_refused:
        check_retentions(kafka, work)
        return
    with pytest.raises(SettingsError, match="PAYMENTS_HISTORY_RETENTION_S is 99, but PAYMENTS_LOG"):
        check_retentions(kafka, work)
