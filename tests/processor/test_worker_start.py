"""The worker starts only with settings that go together."""

import pytest

from processor.worker import bootstrap
from schemas.environment import PREFIX
from schemas.settings import SettingsError

SETTINGS = {
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "DATABASE_URL": "postgresql://pay:x@127.0.0.1:1/payments",
    "STRIPE_API_KEY": "sk_test_1",
    "STRIPE_ACCOUNT": "acct_1",
    "STRIPE_LIVEMODE": "false",
}


@pytest.mark.parametrize(
    ("name", "value"), [("HISTORY_RETENTION_S", "86400"), ("LOG_RETENTION_S", "34560001")]
)
def test_a_history_shorter_than_the_log_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Before anything is connected."""

    async def connected(_: object) -> None:
        raise AssertionError("it asks the brokers first")

    monkeypatch.setattr(bootstrap, "check_topics", connected)
    for each, text in {**SETTINGS, name: value}.items():
        monkeypatch.setenv(f"{PREFIX}{each}", text)
    with pytest.raises(SettingsError, match="read again after its rejection is forgotten"):
        bootstrap.run_worker()
