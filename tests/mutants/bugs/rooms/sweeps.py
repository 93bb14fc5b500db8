"""Bugs of the reconciler's sweeps, each on its own clock."""

from typing import Final

from tests.mutants.planted import Bug

_CLOCKS: Final = "tests/processor/worker/sweeps/test_own_clocks.py::test_{}"
_LEADERSHIP: Final = "tests/processor/worker/sweeps/test_leadership.py::test_{}"
_RECONCILER_LOOP: Final = "tests/processor/worker/sweeps/test_reconciler_loop.py::test_{}"

BUGS: Final = (
    Bug(
        "worker",
        "processor.worker.sweeps.reconciler:Reconciler.run",
        "await sweep.run(Turn(self._leadership, sweep.heartbeat))",
        "for each in self.sweeps:\n"
        "                await each.run(Turn(self._leadership, each.heartbeat))",
        "a sweep waits for all others: gauges are hours old while objects are looked at",
        (_CLOCKS.format("looks_that_are_stuck_delay_no_other_sweep"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.reconciler:Reconciler.repeat",
        "sweep.withdraw()",
        "pass",
        "a former leader shows the ages of the time when it led",
        (_CLOCKS.format("what_is_out_of_date_is_not_shown"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.reconciler:Reconciler.run",
        "sweep.withdraw()",
        "pass",
        "ages of before the outage are shown during it",
        (_CLOCKS.format("what_is_out_of_date_is_not_shown"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.sweep:Turn.step",
        "if not self._leadership.is_held:",
        "if False:",
        "for hours two workers ask the provider for the same objects",
        (_CLOCKS.format("a_sweep_that_another_worker_leads_ends"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.sweep:Pace.pause",
        "max(now, self._free_at)",
        "now",
        "the sweeps of a provider take twice the rate that is set",
        (_CLOCKS.format("sweeps_of_one_provider_share_its_rate"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.sweep:Sweep.wait_s",
        "min(self.every_s, FIRST_WAIT_S * 2.0 ** min(failures - 1, 30))",
        "self.every_s * 2.0 ** failures",
        "after an outage of a minute the list is read half an hour later",
        (_CLOCKS.format("after_failures_a_sweep_waits_longer_but_never_longer_than_usual"),),
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.leadership:PostgresLeadership.run",
        "finally:\n                self._confirmed_at = None",
        "finally:\n                pass",
        "a worker whose lock is another one's goes on for a while",
        (_LEADERSHIP.format("one_process_leads_and_another_follows"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.leadership:PostgresLeadership.is_held",
        "confirmed_at is not None and _now() < confirmed_at + CONFIRMED_FOR_S",
        "confirmed_at is not None",
        "a leader that is cut off from Postgres leads beside the new one",
        (_LEADERSHIP.format("a_leader_that_can_not_check_its_lock_ceases_to_lead"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.expiry:ExpirySweep.run",
        "if len(rows) < self._page or self._expiries.is_full:",
        "if True:",
        "a page of payments expires at each sweep, twenty a second: thousands wait for hours",
        (_RECONCILER_LOOP.format("the_earliest_expiry_comes_first"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.expiry:ExpirySweep._ask",
        "await self._sender.send(commands)",
        "self._expiries.remember((r.payment_id for r in due), now)\n"
        "            await self._sender.send(commands)",
        "a payment whose command was not published expires an hour late",
        (_RECONCILER_LOOP.format("a_command_that_was_not_published_is_published_later"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.expiries:Expiries.is_due",
        "self._met[payment_id] = asked_at",
        "pass",
        "a payment that was asked is asked again at every other sweep",
        (_CLOCKS.format("more_due_payments_than_are_remembered_are_not_asked_again"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.sweeps.expiries:Expiries.is_full",
        "len(self._met) >= PAYMENTS_MAX",
        "False",
        "the memory of what was asked grows without end",
        (_CLOCKS.format("more_due_payments_than_are_remembered_are_not_asked_again"),),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:EXPIRED",
        "(expires_at, payment_id) > (%s, %s)",
        "expires_at > %s and payment_id > %s",
        "of the payments that are due, those with a small ID never expire",
        (_RECONCILER_LOOP.format("the_earliest_expiry_comes_first"),),
        servers=True,
    ),
)
