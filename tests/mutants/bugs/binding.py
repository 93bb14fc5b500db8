"""Bugs of the ownership of objects, and of folding a batch."""

from typing import Final

from tests.mutants.planted import Bug

BUGS: Final = (
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "self._refused.add(row.event_id)",
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
        "decisions.fold:_Fold._apply",
        "self._freed.add(row.received.event_id)",
        "str(row)",
        "in one batch, a refused record makes the real event a duplicate",
        (
            "tests/processor/decisions/test_refusals.py::test_a_refused_rendering_does_not_use_up_the_event_id",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "self._first_positions.pop(row.received.event_id, None)",
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
        "before is None or (awaits_object(before) and not awaits_object(after))",
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
        "before is None or (awaits_object(before) and not awaits_object(after))",
        "awaits_object(before) if before else False",
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
        "owner in {None, payment.id}",
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
        "not row.refused and",
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
