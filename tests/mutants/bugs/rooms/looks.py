"""Bugs in when objects are looked at, and what of it is news."""

from typing import Final

from tests.mutants.planted import Bug

_NEWS: Final = "tests/processor/decisions/test_news.py::test_{}"
_SCHEDULE: Final = "tests/processor/worker/sweeps/test_schedule.py::test_{}"
_PARTS: Final = "tests/processor/worker/sweeps/test_part_list.py::test_{}"
_RECONCILER: Final = "tests/processor/worker/sweeps/test_reconciler.py::test_{}"
_OWN_CLOCKS: Final = "tests/processor/worker/sweeps/test_own_clocks.py::test_{}"
_MANY: Final = "tests/processor/worker/sweeps/test_many_unfinished.py::test_{}"

BUGS: Final = (
    Bug(
        "worker",
        "processor.worker.sweeps.objects:LOOKS_AT_ONCE",
        "8",
        "1",
        "a provider that answers slowly is looked at five times less often than allowed",
        (_MANY.format("neither_gauges_nor_expiry_nor_the_event_list_wait_for_looks"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.objects:ObjectSweep._take",
        "pace.pause(turn, len(group))",
        "pace.pause(turn)",
        "looks take eight times the requests that they may",
        (_RECONCILER.format("a_sweep_respects_the_configured_rate"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.objects:ObjectSweep._take",
        "raise error",
        "break",
        "a worker that does not lead any more goes on looking at objects",
        (_OWN_CLOCKS.format("a_sweep_that_another_worker_leads_ends"),),
        servers=True,
    ),
    Bug(
        "worker",
        "decisions.news:is_news",
        "if join.failures(after.facts) != join.failures(payment.facts):",
        "if False:",
        "a failed attempt whose event was lost is never counted",
        (_NEWS.format("a_failure_that_is_not_known_is_news_although_nothing_shows_it_yet"),),
    ),
    Bug(
        "worker",
        "decisions.news:is_news",
        "if _refunds(after) != _refunds(payment):",
        "if False:",
        "a refund whose event was lost is found a day later, because it might be a release",
        (_NEWS.format("a_refund_that_is_not_known_is_news_although_nothing_shows_it_yet"),),
    ),
    Bug(
        "worker",
        "decisions.news:is_news",
        "or after.version != payment.version",
        "",
        "a payment whose webhooks were lost never changes",
        (_NEWS.format("what_changes_the_payment_is_news"),),
    ),
    Bug(
        "worker",
        "decisions.news:is_news",
        "return decision.outcome not in _NO_NEWS",
        "return True",
        "each look at an unchanged object is a record and a row for ever",
        (_NEWS.format("a_state_that_is_known_is_no_news"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.findings:says_news",
        "return True  # the stream says",
        "return False  # the stream says",
        "an object of an unforeseen form is looked at for ever, and nobody learns of it",
        (_RECONCILER.format("an_object_of_an_unforeseen_form_is_published"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.schedule:missed",
        "next_at=now + min(first, LONGEST)",
        "next_at=now + LONGEST",
        "after an outage of the provider, payments are looked at a day later",
        (_RECONCILER.format("a_provider_that_is_down_makes_no_look_rarer"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.schedule:taken",
        "found=published or look.found",
        "found=published",
        "what contradicts a payment is published at every second look",
        (_SCHEDULE.format("after_news_the_looks_begin_again"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.schedule:is_over",
        "is_final(look.payment.status)",
        "False",
        "finished payments are looked at for ever",
        (_SCHEDULE.format("a_final_payment_is_not_looked_at"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.objects:ObjectSweep.run",
        "await access.store.end_looks([each.payment_id for each in looks if is_over(each)])",
        "pass",
        "payments that have ended stay due, until nothing else is looked at",
        (_RECONCILER.format("a_payment_that_has_ended_leaves_the_looks"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.looks:_decoded",
        "return None",
        "raise",
        "one unreadable document stops all looks",
        (_RECONCILER.format("a_payment_whose_document_is_unreadable_stops_no_other"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.part_list:PartListSweep._read",
        "await access.store.write_cursor(self._cursor, READ, access.clock(), begun)",
        "pass",
        "all refunds of half a year are listed every ten minutes",
        (_PARTS.format("the_list_is_read_once_a_day_whoever_leads"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.part_list:PartListSweep.run",
        "and self._is_recent(last.at, now)",
        "",
        "the list is read once, and never again",
        (_PARTS.format("a_part_that_is_known_leaves_no_record"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.part_list:PartListSweep._publish_news",
        "if event_id not in known",
        "",
        "what contradicts a payment is published again every day",
        (_PARTS.format("what_contradicts_a_payment_is_published_once"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.part_list:PartListSweep._publish_news",
        "says_news(access.translator, payment, part, now)",
        "True",
        "every refund of half a year is a record, and then a duplicate every day",
        (_PARTS.format("a_part_that_is_known_leaves_no_record"),),
        servers=True,
    ),
)
