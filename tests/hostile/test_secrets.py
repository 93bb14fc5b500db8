"""No error, log line or output contains a secret, even if the settings are malformed."""

import os

import pytest

from cli.main import COULD_NOT_RUN, main
from schemas.environment import PREFIX
from schemas.settings import (
    DatabaseSettings,
    ExamplePaySettings,
    SettingsError,
    StripeSettings,
    load,
)

#: The secret, which no output may contain.
MARK = "hunter2"
MALFORMED = {
    "a percent sign": f"postgresql://pay:{MARK}%zz@127.0.0.1/payments",
    "a percent sign at the end": f"postgresql://pay:{MARK}%@127.0.0.1/payments",
    "an at sign": f"postgresql://pay:x@{MARK}@127.0.0.1/payments",
    "a slash": f"postgresql://pay:1/{MARK}@127.0.0.1/payments",
    "a slash and a name": f"postgresql://pay:{MARK}/x@127.0.0.1/payments",
    "a blank": f"postgresql://pay:x@{MARK} y@127.0.0.1/payments",
    "a wrong port": f"postgresql://pay:x@127.0.0.1:{MARK}/payments",
    "an unknown option": f"postgresql://pay:x@127.0.0.1/payments?{MARK}=1",
    "another scheme": f"mysql://pay:{MARK}@127.0.0.1/payments",
    "no scheme": f"pay:{MARK}@127.0.0.1/payments",
    "pairs with a blank": f"host=127.0.0.1 user=pay password=x {MARK}",
    "pairs with an open quote": f"host=127.0.0.1 user=pay password='{MARK}",
    "an unknown pair": f"host=127.0.0.1 passwd={MARK}",
    "an open bracket": f"postgresql://pay:{MARK}@[::1/payments",
}
GOOD = {
    "encoded": "postgresql://pay:a%25b%40c%2Fd@db.example:5432/payments",
    "pairs": "host=db.example port=5432 user=pay password='a b@%/' dbname=payments",
    "several hosts": "postgresql://pay:x@a.example:1,b.example:2/payments",
    "IPv6": "postgresql://pay:x@[::1]:5432/payments",
    "a socket": "postgresql:///payments?host=/run/postgresql",
    "options": "postgresql://pay:x@db/payments?sslmode=require&connect_timeout=3",
}
PROGRAMS = {
    "migrate": ["migrate"], "ingress": ["ingress"], "stream": ["stream"], "worker": ["worker"],
    "audit": ["audit"], "rebuild": ["rebuild"],
    "replay": ["replay", "--list"], "dead-letters": ["dead-letters"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets everything that a program needs, with addresses that refuse connections."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    for name, value in {
        "KAFKA_BOOTSTRAP": "127.0.0.1:1", "API_KEYS": f"shop:{'a' * 64}",
        "STRIPE_API_KEY": "sk_test_nothing", "STRIPE_ACCOUNT": "acct_1",
        "STRIPE_LIVEMODE": "false", "STRIPE_WEBHOOK_SECRETS": "whsec_nothing",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"{PREFIX}{name}", value)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("how", MALFORMED)
def test_the_error_for_a_malformed_url_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    program: str,
    how: str,
) -> None:
    """The error names the variable and says how to write the URL; the program doesn't start."""
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", MALFORMED[how])
    assert main(PROGRAMS[program]) == COULD_NOT_RUN
    out = "".join(capfd.readouterr()) + caplog.text
    assert MARK not in out
    assert "PAYMENTS_DATABASE_URL" in out
    assert "percent-encoded" in out


@pytest.mark.parametrize("how", GOOD)
def test_every_url_that_libpq_accepts_is_accepted(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It is passed on unchanged, and the settings' text doesn't show it."""
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", GOOD[how])
    settings = load(DatabaseSettings)
    assert settings.database_url.get_secret_value() == GOOD[how]
    assert GOOD[how] not in repr(settings) + str(settings)


@pytest.mark.parametrize("program", ["migrate", "audit", "replay"])
def test_the_error_for_an_unreachable_database_hides_the_password(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    program: str,
) -> None:
    """The error has the driver's message without the secret."""
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", f"postgresql://pay:{MARK}@127.0.0.1:1/payments")
    assert main(PROGRAMS[program]) == COULD_NOT_RUN
    out = "".join(capfd.readouterr()) + caplog.text
    assert MARK not in out
    assert f"payments {program}: Postgres: " in out


@pytest.mark.parametrize("value", [f"{MARK}\n", f"sk {MARK}", f"{MARK}\N{EURO SIGN}", f"{MARK}\t"])
def test_a_key_that_is_no_valid_header_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """The HTTP client's error about the header would put the key in a log line and in a row."""
    for name, group in (
        ("STRIPE_API_KEY", StripeSettings), ("EXAMPLEPAY_API_KEY", ExamplePaySettings),
    ):  # fmt: skip
        monkeypatch.setenv(f"{PREFIX}{name}", value)
        with pytest.raises(SettingsError, match=name) as refused:
            load(group)
        assert MARK not in str(refused.value)
