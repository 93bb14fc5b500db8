"""The bugs that replace a function, and the history or the seed that must find each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.mutants import domain, stream
from tests.mutants import worker as work
from tests.mutants.domain import Plant
from tests.simulation.programs.parts import REAL, Parts


@dataclass(frozen=True, slots=True)
class InTheDomain:
    """The model checker finds it in ``history`` after ``inputs`` inputs, and reports ``said``."""

    name: str
    plant: Plant
    history: str
    inputs: int
    said: str


@dataclass(frozen=True, slots=True)
class InThePipeline:
    """A simulation's seed finds it; the known ``seeds`` are tried first."""

    name: str
    parts: Parts
    seeds: Sequence[int]


AUTOMATIC: Final = "automatic success"
LOST_AND_WON: Final = "a dispute is lost, then won, its money out and back"
REPORTED_THRICE: Final = "one failure reported by three events leaves the second attempt"
ONE_SECOND: Final = "success within one second, reported twice by different events"
CLAIMED: Final = "another refund, which claims to be ours, fails"
RETURNED: Final = "the bank returns a refund that had succeeded"
ACTED: Final = "the customer acts, then it succeeds"

IN_THE_DOMAIN: Final = (
    InTheDomain("last write wins", domain.last_report_wins, ACTED, 4, "the oracle"),
    InTheDomain("ties by arrival", domain.ties_by_arrival, ONE_SECOND, 4, "the oracle"),
    InTheDomain("refunds are deltas", domain.refunds_are_deltas, RETURNED, 6, "the oracle"),
    InTheDomain("claims are accepted", domain.claims_are_trusted, CLAIMED, 5, "the oracle"),
    InTheDomain("movements add up", domain.movements_add_up, LOST_AND_WON, 4, "the oracle"),
    InTheDomain(
        "payment_failed is final", domain.a_failed_attempt_is_the_end, REPORTED_THRICE, 3, "oracle"
    ),
    InTheDomain(
        "each report is a failure",
        domain.each_report_is_a_failure,
        REPORTED_THRICE,
        4,
        "the oracle",
    ),
    InTheDomain(
        "funds_withdrawn is lost", domain.money_withdrawn_is_lost, LOST_AND_WON, 3, "the oracle"
    ),
    InTheDomain(
        "a final state is overwritten", domain.final_state_changes,
        "both captured and cancelled", 4, "is_final",
    ),
    InTheDomain(
        "calls are asked again", domain.calls_are_repeated,
        "it is acknowledged", 2, "decided twice",
    ),
    InTheDomain("no dedup", domain.known_events_are_new, AUTOMATIC, 1, "decided again"),
    InTheDomain("parked events are lost", domain.parked_facts_are_lost, AUTOMATIC, 3, "came again"),
    InTheDomain("versions have gaps", domain.versions_have_gaps, AUTOMATIC, 3, "version"),
    InTheDomain(
        "a batch is decided on its beginning", domain.a_batch_is_decided_on_its_beginning,
        AUTOMATIC, 3, "elsewhere",
    ),
    InTheDomain(
        "redeliveries are not looked at", domain.redeliveries_are_skipped,
        AUTOMATIC, 1, "not looked at",
    ),
)  # fmt: skip


def _in_the_pipeline(name: str, *seeds: int, **parts: Callable[..., Any]) -> InThePipeline:
    return InThePipeline(name, replace(REAL, **parts), seeds)


IN_THE_PIPELINE: Final = (
    _in_the_pipeline("acknowledged before the commit", 2, batch_processor=stream.AcknowledgesFirst),
    _in_the_pipeline(
        "acknowledged before publishing", 1, batch_processor=stream.AcknowledgesBeforePublishing
    ),
    _in_the_pipeline("never published again", 1, batch_processor=stream.NeverPublishesAgain),
    _in_the_pipeline("published from memory", 632, batch_processor=stream.PublishesFromMemory),
    _in_the_pipeline(
        "only the unpublished published", 478, batch_store=stream.PublishesOnlyTheUnpublished
    ),
    _in_the_pipeline("marked before the commit", 12, batch_processor=stream.AddsBeforeCommit),
    _in_the_pipeline("parked events dropped", 5, batch_store=stream.LosesParkedInputs),
    _in_the_pipeline("no locks", 20, batch_store=stream.LocksNothing),
    _in_the_pipeline("no fence", 58, state_topic=stream.FencesNothing),
    _in_the_pipeline("a new provider key on retry", 1, provider_calls=work.NewKeyForEachTry),
    _in_the_pipeline("silence is a refusal", 10, provider_calls=work.TreatsTimeoutAsRefusal),
    _in_the_pipeline("keys kept for ever", 36, provider_calls=work.KeepsKeysForEver),
    _in_the_pipeline("a replayed 500 accepted", 3, provider_calls=work.TrustsReplayedErrors),
    _in_the_pipeline("done before its result is sent", 53, provider_calls=work.FinishesFirst),
    _in_the_pipeline("no object looked at", 1, reconciler=work.LooksAtNoObject),
    _in_the_pipeline("nothing looked up", 3, provider_client=work.NeverLooksUp),
    _in_the_pipeline("any signature accepted", 1, webhook_reader=work.AcceptsAnySignature),
)
