"""The bugs that replace a function, and the history or the seed that must find each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.mutants import accounts, domain, stream
from tests.mutants import worker as work
from tests.mutants.domain import Plant
from tests.simulation.programs.parts import REAL, Parts


@dataclass(frozen=True, slots=True)
class DomainBug:
    """The model checker finds it in ``history`` after ``inputs`` inputs and writes ``reported``."""

    name: str
    plant: Plant
    history: str
    inputs: int
    reported: str


@dataclass(frozen=True, slots=True)
class PipelineBug:
    """A simulation's seed finds it; the known ``seeds`` are tried first."""

    name: str
    parts: Parts
    seeds: Sequence[int]


AUTOMATIC: Final = "automatic success"
LOST_AND_WON: Final = "a dispute is lost, then won, its money out and back"
REPORTED_THRICE: Final = "one failure reported by three events leaves the second attempt"
ONE_SECOND: Final = "success within one second, reported twice by different events"
CLAIMED: Final = "another refund, which claims to be the requested one, fails"
RETURNED: Final = "the bank returns a refund that had succeeded"
ACTED: Final = "the customer acts, then it succeeds"

DOMAIN_BUGS: Final = (
    DomainBug("last write wins", domain.last_report_wins, ACTED, 4, "the oracle"),
    DomainBug("ties by arrival", domain.ties_by_arrival, ONE_SECOND, 4, "the oracle"),
    DomainBug("refunds are deltas", domain.refunds_are_deltas, RETURNED, 6, "the oracle"),
    DomainBug("claims are accepted", domain.claims_are_trusted, CLAIMED, 5, "the oracle"),
    DomainBug("movements add up", domain.movements_add_up, LOST_AND_WON, 4, "the oracle"),
    DomainBug(
        "payment_failed is final", domain.a_failed_attempt_is_final, REPORTED_THRICE, 3, "oracle"
    ),
    DomainBug(
        "each report is a failure",
        domain.each_report_is_a_failure,
        REPORTED_THRICE,
        4,
        "the oracle",
    ),
    DomainBug(
        "funds_withdrawn is lost", domain.money_withdrawn_is_lost, LOST_AND_WON, 3, "the oracle"
    ),
    DomainBug(
        "a final state is overwritten", domain.final_state_changes,
        "both captured and cancelled", 4, "is_final",
    ),
    DomainBug(
        "calls are repeated", domain.calls_are_repeated,
        "it is acknowledged", 2, "decided twice",
    ),
    DomainBug("no dedup", domain.known_events_are_new, AUTOMATIC, 1, "decided again"),
    DomainBug("parked events are lost", domain.parked_facts_are_lost, AUTOMATIC, 3, "came again"),
    DomainBug("versions have gaps", domain.versions_have_gaps, AUTOMATIC, 3, "version"),
    DomainBug(
        "a batch is decided on its beginning", domain.a_batch_is_decided_on_its_beginning,
        AUTOMATIC, 3, "elsewhere",
    ),
    DomainBug(
        "redeliveries are skipped", domain.redeliveries_are_skipped,
        AUTOMATIC, 1, "not looked at",
    ),
)  # fmt: skip


def _pipeline_bug(name: str, *seeds: int, **parts: Callable[..., Any]) -> PipelineBug:
    return PipelineBug(name, replace(REAL, **parts), seeds)


PIPELINE_BUGS: Final = (
    _pipeline_bug("acknowledged before the commit", 2, batch_processor=stream.AcknowledgesFirst),
    _pipeline_bug(
        "acknowledged before publishing", 1, batch_processor=stream.AcknowledgesBeforePublishing
    ),
    _pipeline_bug("never published again", 1, batch_processor=stream.NeverPublishesAgain),
    _pipeline_bug("published from memory", 4009, batch_processor=stream.PublishesFromMemory),
    _pipeline_bug(
        "only the unpublished published", 2555, 2624, batch_store=stream.PublishesOnlyTheUnpublished
    ),
    _pipeline_bug("answers forgotten", 1, batch_store=stream.ForgetsAnswers),
    _pipeline_bug("added before the commit", 12, batch_processor=stream.AddsBeforeCommit),
    _pipeline_bug("parked events dropped", 5, batch_store=stream.LosesParkedInputs),
    _pipeline_bug("no locks", 20, batch_store=stream.LocksNothing),
    _pipeline_bug("no fence", 58, state_topic=stream.FencesNothing),
    _pipeline_bug("a new provider key on retry", 1, provider_calls=work.NewKeyForEachTry),
    _pipeline_bug("a timeout is a refusal", 10, provider_calls=work.TreatsTimeoutAsRefusal),
    _pipeline_bug("expired keys used", 36, provider_calls=work.UsesExpiredKeys),
    _pipeline_bug("a replayed 500 accepted", 3, provider_calls=work.TrustsReplayedErrors),
    _pipeline_bug("done before its result is sent", 53, provider_calls=work.FinishesFirst),
    _pipeline_bug("no object looked up", 1, reconciler=work.LooksUpNoObject),
    _pipeline_bug("no call looked up", 3, provider_client=work.NeverLooksUp),
    _pipeline_bug("any signature accepted", 1, webhook_reader=work.AcceptsAnySignature),
    _pipeline_bug("binding ignored", 4, decoder=accounts.BindsNothing),
    _pipeline_bug(
        "called with the default account's key", 4, provider_client=accounts.CallsWithTheDefaultKey
    ),
    _pipeline_bug(
        "the default account's event list", 4, provider_client=accounts.ReadsTheDefaultList
    ),
)
