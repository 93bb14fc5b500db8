"""The settings of the programs of a seed."""

from pydantic import SecretStr

from schemas.settings import StreamSettings, StripeSettings, WorkerSettings
from tests.simulation.faults import Chance
from tests.simulation.outside.journal import LISTED_WITHIN_S
from tests.simulation.programs.machine import Settings


def settings_of(chance: Chance, *, is_list_late: bool) -> Settings:
    """Settings with waits below a minute, and sometimes a small dedup table.

    A cursor is rarely written before the faults end, but in the seeds that favour a crash there.
    """
    often = chance.favoured.startswith("write_cursor") and not is_list_late
    return Settings(
        stream=StreamSettings(
            publish_deadline_s=10.0,
            dedup_retention_s=chance.choice((15.0, 604_800.0)),
            dedup_per_payment=chance.choice((8, 64)),
        ),
        work=WorkerSettings(
            call_concurrency=8,
            call_poll_s=0.7,
            call_lease_s=24.0,
            call_backoff_base_s=0.5,
            call_backoff_max_s=12.0,
            expiry_every_s=7.0,
            backlog_every_s=7.0,
            event_list_every_s=1.5 if often else 7.0,
            objects_every_s=7.0,
            parts_every_s=9.0,
            event_list_settles_s=1.0 if often else LISTED_WITHIN_S + 2.0,
            unfinished_after_s=14.0,
            reconcile_page=chance.choice((3, 100)),
        ),
        stripe=StripeSettings(stripe_api_key=SecretStr("sk_test_simulation"), stripe_timeout_s=8.0),
    )
