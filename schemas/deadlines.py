"""Checks deadlines of one settings group against those of another."""

from schemas.settings import ExamplePaySettings, SettingsError, StripeSettings, WorkerSettings, load


def check_deadlines(work: WorkerSettings) -> None:
    """Refuses a provider's time-out that is longer than the deadline of an attempt.

    Raises SettingsError, which names both variables.
    """
    timeouts = {
        "PAYMENTS_STRIPE_TIMEOUT_S": load(StripeSettings).stripe_timeout_s,
        "PAYMENTS_EXAMPLEPAY_TIMEOUT_S": load(ExamplePaySettings).examplepay_timeout_s,
    }
    for name, seconds in timeouts.items():
        if seconds > work.call_deadline_s:
            raise SettingsError(
                f"{name} is {seconds:g}, but PAYMENTS_CALL_DEADLINE_S is "
                f"{work.call_deadline_s:g}: an attempt would end before its answer can arrive. "
                f"Lower {name}, or raise PAYMENTS_CALL_DEADLINE_S"
            )
