"""Asks a provider whether an account's webhook endpoint is as it must be."""

from contextlib import suppress
from typing import Final

from ports.account_check import AccountCheck, Subject, Verdict
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.sweep import Turn
from runtime.logs import get_logger
from runtime.tasks import with_timeout

log = get_logger(__name__)

#: Seconds that all requests of one check may take.
CHECK_TIMEOUT_S: Final = 120.0


class EndpointSweep:
    """Shows the number of problems of one account's endpoint as a gauge.

    The payments go on without the endpoint, from the event list, so nothing else shows that it is
    disabled or lacks events.

    Args:
        provider: the account's name.
        check: asks the provider about the account.
        metrics: the worker's metrics.
    """

    def __init__(self, provider: str, check: AccountCheck, metrics: WorkerMetrics) -> None:
        self._provider = provider
        self._check = check
        self._metrics = metrics

    async def run(self, turn: Turn) -> None:
        """Asks once. What can't be asked is absent, and never 0."""
        turn.step(CHECK_TIMEOUT_S)
        found = await with_timeout(CHECK_TIMEOUT_S, self._check.findings())
        for each in found:
            if each.verdict is Verdict.WRONG:
                about = {"provider": self._provider, "subject": str(each.subject)}
                log.warning("account.wrong", **about, finding=each.text)
        about_endpoint = [each.verdict for each in found if each.subject is Subject.ENDPOINT]
        if not about_endpoint or Verdict.NOT_ASKED in about_endpoint:
            self.withdraw()
            return
        problems = about_endpoint.count(Verdict.WRONG)
        self._metrics.endpoint_problems.labels(self._provider).set(problems)

    def withdraw(self) -> None:
        """Shows nothing rather than what is out of date."""
        with suppress(KeyError):  # there is none to withdraw
            self._metrics.endpoint_problems.remove(self._provider)
