"""The settings of the worker's sweeps, which it runs again and again on their own clocks."""

from pydantic import BaseModel, Field

from schemas.settings_types import Seconds


class SweepSettings(BaseModel):
    """How often each sweep runs, and what it may ask of a provider. Part of ``WorkerSettings``."""

    expiry_every_s: Seconds = Field(5.0, description="How often due payments are expired.")
    backlog_every_s: Seconds = Field(10.0, description="How often what waits is measured.")
    event_list_every_s: Seconds = Field(30.0, description="How often an event list is read.")
    notices_every_s: Seconds = Field(
        5.0, description="How often reports of events that were never made are followed."
    )
    objects_every_s: Seconds = Field(30.0, description="How often due objects are looked at.")
    parts_every_s: Seconds = Field(
        86_400.0,
        description="How often a provider's refunds, disputes and fraud warnings are listed (a "
        "day).",
    )
    parts_window_s: Seconds = Field(
        15_552_000.0, description="Those that are older than this are not listed (180 days)."
    )
    endpoints_every_s: Seconds = Field(
        3600.0, description="How often a provider is asked about our webhook endpoint (an hour)."
    )
    event_list_settles_s: Seconds = Field(120.0, description="How late an event list may be.")
    unfinished_after_s: Seconds = Field(
        120.0, description="An unfinished payment without news for this long is looked up."
    )
    reconcile_page: int = Field(100, ge=1, le=1000, description="Payments per page of a sweep.")
    reconcile_per_s: float = Field(
        20.0,
        ge=0.001,
        le=10_000,
        allow_inf_nan=False,
        description="Most requests per second of the sweeps to a provider, of those that its rate "
        "budget has left.",
    )
