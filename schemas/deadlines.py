"""Checks deadlines and retentions of one settings group against those of another."""

from schemas.settings import (
    ExamplePaySettings,
    KafkaSettings,
    SettingsError,
    StripeSettings,
    WorkerSettings,
    load,
)


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


def check_retentions(kafka: KafkaSettings, work: WorkerSettings) -> None:
    """Refuses a history that is shorter than the log.

    What became of a rejected command is in the history alone: a command that is read again after
    its deletion would be carried out. Raises SettingsError, which names both variables.
    """
    if work.history_retention_s < kafka.log_retention_s:
        raise SettingsError(
            f"PAYMENTS_HISTORY_RETENTION_S is {work.history_retention_s:g}, but "
            f"PAYMENTS_LOG_RETENTION_S is {kafka.log_retention_s:g}: a rejected command could be "
            "read again after its rejection is forgotten. Raise PAYMENTS_HISTORY_RETENTION_S, or "
            "lower PAYMENTS_LOG_RETENTION_S"
        )
