"""Bugs of the ownership of objects, and of folding a batch."""

from typing import Final

from tests.mutants.planted import Bug

_QUARANTINED: Final = "tests/processor/decisions/test_quarantined_ids.py::test_{}"
_REFUSALS: Final = "tests/processor/decisions/test_refusals.py::test_{}"

BUGS: Final = (
    Bug(
        "stream",
        "decisions.fold:_Fold._set_apart",
        "for taken in (self._first_positions, self._used_by):",
        "for taken in (self._first_positions,):",
        "an event is lost if it comes in the batch in which another record of it waits in vain",
        (_REFUSALS.format("what_waited_and_is_refused_leaves_its_event_id_in_any_grouping"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._note_open",
        "| ({known.position} if known else set())",
        "",
        "an applied record that comes again is recorded as a duplicate of the one that waited",
        (_REFUSALS.format("what_waited_and_is_refused_leaves_its_event_id_in_any_grouping"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._quarantine",
        "self._set_apart(row)",
        "",
        "the record that our code failed on uses up the ID of an event that can be read",
        (_QUARANTINED.format("one_rendering_of_a_quarantined_event_is_decided_once"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._note_open",
        "known.outcome in WAITING",
        "known.outcome is Outcome.PARKED",
        "the dedup table drops an event whose quarantine left it free",
        (_QUARANTINED.format("the_table_has_no_event_that_waits_for_a_release"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_superseded",
        "if self._used_by.get(received.event_id, position) != position:",
        "if False:",
        "two renderings of one event take effect after a release",
        (_QUARANTINED.format("one_rendering_of_a_quarantined_event_is_decided_once"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_superseded",
        "return all(known.position != each.record.position for each in beside)",
        "return False",
        "an event that another payment had takes effect again after a release",
        (
            _QUARANTINED.format(
                "an_event_that_another_payment_used_is_not_decided_after_the_release"
            ),
        ),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_new",
        "self._plan.redelivered.add(same.publication_id)",
        "str(same)",
        "after a crash consumers don't see that a payment is quarantined",
        (_QUARANTINED.format("after_a_crash_the_record_that_began_a_quarantine_publishes_it"),),
    ),
    Bug(
        "sql",
        "postgres.batch.transaction:load",
        "if apart := sorted(_apart({row[0] for row in rows}, taken_up)):",
        "if apart := []:",
        "the release of a record that our code failed on fails for ever",
        (_QUARANTINED.format("one_rendering_of_a_quarantined_event_is_decided_once"),),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._set_apart",
        "self._apart.add(row.event_id)",
        "str(row)",
        "a refused record that is in a batch twice is written twice, and the batch fails",
        (
            "tests/processor/decisions/test_fold.py::test_a_refused_record_twice_in_a_batch_is_one_record",
        ),
        servers=True,
    ),
    Bug(
        "domain",
        "domain.facts.binding:is_proof",
        "not isinstance(fact, PaymentFact)",
        "isinstance(fact, DisputeFact)",
        "a refund's event counts as proof of the payment's object",
        ("tests/domain/test_binding.py::test_a_refund_fact_does_not_prove_the_payments_object",),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "if after is None or after is before:",
        "if after is None:",
        "an input without effect is stored with another input's version",
        ("tests/processor/decisions/test_fold.py::test_an_input_without_effect_makes_no_version",),
        servers=True,
    ),
    Bug(
        "domain",
        "domain.facts.binding:is_proof",
        "is_key_of(fact.caused_by, str(CallKey.create(payment_id)))",
        '(fact.caused_by or "").endswith(":create")',
        "an object that another payment's call made counts as this payment's",
        (
            "tests/domain/test_binding.py::test_the_result_of_the_create_and_its_key_prove_the_object",
        ),
    ),
    Bug(
        "domain",
        "domain.facts.binding:is_proof",
        "is_key_of(fact.caused_by, str(CallKey.create(payment_id)))",
        '(fact.caused_by or "").startswith(f"{payment_id}:")',
        "the key of any call of the payment proves an object",
        (
            "tests/domain/test_binding.py::test_the_result_of_the_create_and_its_key_prove_the_object",
        ),
    ),
    Bug(
        "domain",
        "domain.facts.binding:is_proof",
        "is_key_of(fact.caused_by, str(CallKey.create(payment_id)))",
        "fact.caused_by == str(CallKey.create(payment_id))",
        "an object made under a second key is never accepted as the payment's",
        (
            "tests/domain/test_binding.py::test_the_result_of_the_create_and_its_key_prove_the_object",
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refused_or_waiting",
        "awaits_object(payment) and",
        "",
        "every dispute, and every event without a key, waits for ever",
        (
            "tests/domain/test_conflicts.py::test_a_contradiction_changes_nothing_and_names_what_is_wrong",
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refused_or_waiting",
        "and not is_proof(payment.id, fact)",
        "",
        "an event with the create's key waits for a result that may be lost",
        (
            "tests/domain/test_conflicts.py::test_a_result_that_contradicts_the_proven_object_is_a_conflict",
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refused_or_waiting",
        ", refused=True",
        "",
        "a forged event uses up its event ID, and the real event is a duplicate",
        (
            "tests/processor/decisions/test_refusals.py::test_a_refused_rendering_does_not_use_up_the_event_id",
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refused_or_waiting",
        ", urgent_call=urgent",
        "",
        "a payment whose create's result was lost waits until the lease ends",
        (
            "tests/processor/decisions/test_refusals.py::test_an_unproved_fact_makes_the_create_due_at_once",
        ),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._set_apart",
        "self._freed.add(event_id)",
        "str(row)",
        "in one batch, a refused record that waited makes the real event a duplicate",
        (_REFUSALS.format("what_waited_and_is_refused_leaves_its_event_id_in_any_grouping"),),
        servers=True,
    ),
    Bug(
        "domain",
        "decisions.fold:_Fold._note_open",
        "if named != {ended[event_id]}:",
        "if event_id in self._freed:",
        "a refused record that comes again makes the right one a duplicate when that comes again",
        (
            "tests/processor/decisions/test_refusals.py::test_the_event_id_is_the_right_records_also_where_the_refused_one_comes_again",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._set_apart",
        "del taken[event_id]",
        "str(row)",
        "a refused record and the real event in one batch: the real one is lost",
        (
            "tests/processor/decisions/test_refusals.py::test_a_refused_rendering_does_not_use_up_the_event_id",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "self._plan.stored[payment_id] = stored",
        "self._plan.stored[payment_id] = before or after",
        "a batch with two changes of a payment conflicts with itself, again and again",
        (
            "tests/processor/decisions/test_fold.py::test_the_plan_has_a_known_payment_as_it_was_stored",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "ends_wait(before, after)",
        "before is None",
        "inputs that wait for the payment's object are never applied",
        (
            "tests/processor/decisions/test_refusals.py::test_a_parked_event_that_is_refused_does_not_use_up_its_event_id",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "ends_wait(before, after)",
        "before is not None and ends_wait(before, after)",
        "inputs that came before their payment are never applied",
        (
            "tests/processor/decisions/test_fold.py::test_webhooks_before_their_create_are_applied_in_the_same_batch",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "if decision.urgent_call is not None:",
        "if False:",
        "a create whose response was lost is repeated only after the lease",
        (
            "tests/processor/decisions/test_refusals.py::test_an_unproved_fact_makes_the_create_due_at_once",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "if decision.outcome is Outcome.PARKED:",
        "if False:",
        "an input before its create in one batch waits for ever",
        (
            "tests/processor/decisions/test_fold.py::test_webhooks_before_their_create_are_applied_in_the_same_batch",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "self._plan.calls.extend(decision.provider_calls)",
        "self._plan.calls = list(decision.provider_calls)",
        "of two calls decided in one batch, only the last is ever made",
        ("tests/processor/decisions/test_fold.py::test_a_create_and_a_webhook_make_two_versions",),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._foreign",
        "owner == received.payment_id",
        "owner is None",
        "a payment's own later events are conflicts",
        (
            "tests/processor/decisions/test_fold.py::test_the_plan_has_a_known_payment_as_it_was_stored",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._release",
        "self._quarantined.discard(payment_id)",
        "str(payment_id)",
        "a release applies nothing, and the quarantine is deleted from the table",
        (
            "tests/processor/decisions/test_fold_release.py::test_a_release_processes_the_waiting_inputs",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._release",
        "if payment_id in self._loaded.quarantined:\n"
        "            self._plan.released.add(payment_id)",
        "if False:\n            self._plan.released.add(payment_id)",
        "a released quarantine is still in the table after the batch",
        (
            "tests/processor/decisions/test_fold_release.py::test_a_release_processes_the_waiting_inputs",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._note_open",
        "not row.apart and",
        "",
        "a refused event's ID is added to the dedup table: the real event is dropped",
        (
            "tests/processor/decisions/test_refusals.py::test_a_refused_rendering_does_not_use_up_the_event_id",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_new",
        "self._plan.redelivered.add(known.publication_id)",
        "str(known)",
        "after a crash, committed versions stay unpublished",
        (
            "tests/processor/decisions/test_fold.py::test_a_redelivered_record_marks_its_publication",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_new",
        "if known.position != position:",
        "if False:",
        "a duplicate is not stored: audit reports it as lost",
        (
            "tests/processor/decisions/test_fold.py::test_a_second_record_of_an_event_is_a_duplicate",
        ),
        servers=True,
    ),
)
