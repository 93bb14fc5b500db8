"""Bugs of the ownership of objects, and of folding a batch."""

from typing import Final

from tests.mutants.planted import Bug

BUGS: Final = (
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "self._refused.add(row.event_id)",
        "str(row)",
        "a refused record that a batch holds twice is written twice, and the batch fails",
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
        "a refund's event counts as proof of whose the payment's object is",
        ("tests/domain/test_binding.py::test_a_refund_fact_does_not_prove_the_payments_object",),
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "if after is None or after is before:",
        "if after is None:",
        "an input without effect is noted with a version that another one led to",
        ("tests/processor/decisions/test_fold.py::test_an_input_without_effect_led_to_no_version",),
        servers=True,
    ),
    Bug(
        "domain",
        "domain.facts.binding:is_proof",
        "is_key_of(fact.caused_by, str(CallKey.create(payment_id)))",
        '(fact.caused_by or "").endswith(":create")',
        "the object that another payment's call made is taken for this one's",
        (
            "tests/domain/test_binding.py::test_the_result_of_the_create_and_its_key_prove_the_object",
        ),
    ),
    Bug(
        "domain",
        "domain.facts.binding:is_proof",
        "is_key_of(fact.caused_by, str(CallKey.create(payment_id)))",
        '(fact.caused_by or "").startswith(f"{payment_id}:")',
        "the key of any other call of the payment proves whose an object is",
        (
            "tests/domain/test_binding.py::test_the_result_of_the_create_and_its_key_prove_the_object",
        ),
    ),
    Bug(
        "domain",
        "domain.facts.binding:is_proof",
        "is_key_of(fact.caused_by, str(CallKey.create(payment_id)))",
        "fact.caused_by == str(CallKey.create(payment_id))",
        "an object made under a second key is never known as the payment's own",
        (
            "tests/domain/test_binding.py::test_the_result_of_the_create_and_its_key_prove_the_object",
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refused_or_waiting",
        "awaits_object(payment) and",
        "",
        "every dispute, and every event that echoes no key, waits for ever",
        (
            "tests/domain/test_conflicts.py::test_a_contradiction_changes_nothing_and_names_what_is_wrong",
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refused_or_waiting",
        "and not is_proof(payment.id, fact)",
        "",
        "an event that echoes our create waits for an answer that may be lost",
        (
            "tests/domain/test_conflicts.py::test_a_result_that_contradicts_the_proven_object_is_a_conflict",
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refused_or_waiting",
        ", refused=True",
        "",
        "a forged event uses up its event ID, and the real one is a duplicate of it",
        (
            "tests/processor/decisions/test_refusals.py::test_a_refused_rendering_leaves_the_event_to_the_right_one",
        ),
    ),
    Bug(
        "domain",
        "domain.on_fact:_refused_or_waiting",
        ", urgent_call=urgent",
        "",
        "a payment whose create's answer was lost waits out the lease instead of a moment",
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
            "tests/processor/decisions/test_refusals.py::test_a_refused_rendering_leaves_the_event_to_the_right_one",
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
            "tests/processor/decisions/test_refusals.py::test_a_refused_rendering_leaves_the_event_to_the_right_one",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "self._plan.expected[payment_id] = stored.version",
        "self._plan.expected[payment_id] = after.version - 1",
        "two changes of a payment in one batch are a conflict with itself, again and again",
        (
            "tests/processor/decisions/test_fold.py::test_a_new_payment_expects_nothing_and_a_known_one_its_version",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "before is None or (awaits_object(before) and not awaits_object(after))",
        "before is None",
        "what waited for the payment's object is never taken up",
        (
            "tests/processor/decisions/test_refusals.py::test_what_waited_and_is_refused_leaves_its_event_id",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "before is None or (awaits_object(before) and not awaits_object(after))",
        "awaits_object(before) if before else False",
        "what came before its payment is never taken up",
        (
            "tests/processor/decisions/test_fold.py::test_what_came_before_its_payment_is_applied_with_it",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "if decision.urgent_call is not None:",
        "if False:",
        "a lost create answer is asked for again only after the lease",
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
        "what came in the batch of its payment's create, before it, waits for ever",
        (
            "tests/processor/decisions/test_fold.py::test_what_came_before_its_payment_is_applied_with_it",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._apply",
        "self._plan.calls.extend(decision.provider_calls)",
        "self._plan.calls = list(decision.provider_calls)",
        "of two calls that one batch asks for, only the last is ever made",
        ("tests/processor/decisions/test_fold.py::test_a_payment_and_its_webhook",),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._foreign",
        "owner in {None, payment.id}",
        "owner is None",
        "a payment's own later events are conflicts with itself",
        (
            "tests/processor/decisions/test_fold.py::test_a_new_payment_expects_nothing_and_a_known_one_its_version",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._release",
        "self._quarantined.discard(payment_id)",
        "str(payment_id)",
        "a release takes up nothing, and the quarantine is gone from the table",
        (
            "tests/processor/decisions/test_fold_release.py::test_what_waited_is_taken_up_as_if_nothing_had_been",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._release",
        "if payment_id in self._loaded.quarantined:\n"
        "            self._plan.released.add(payment_id)",
        "if False:\n            self._plan.released.add(payment_id)",
        "a quarantine that was released is there again after the batch",
        (
            "tests/processor/decisions/test_fold_release.py::test_what_waited_is_taken_up_as_if_nothing_had_been",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._note_open",
        "not row.refused and",
        "",
        "a refused event's ID is remembered as used: the real one is set aside unread",
        (
            "tests/processor/decisions/test_refusals.py::test_a_refused_rendering_leaves_the_event_to_the_right_one",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_new",
        "self._plan.redelivered.add(known.publication_id)",
        "str(known)",
        "after a crash what was committed and not published stays so",
        (
            "tests/processor/decisions/test_fold.py::test_the_same_record_again_marks_its_publication",
        ),
        servers=True,
    ),
    Bug(
        "stream",
        "decisions.fold:_Fold._is_new",
        "if known.position != position:",
        "if False:",
        "a second record of an event is nowhere noted: audit reports it as lost",
        (
            "tests/processor/decisions/test_fold.py::test_a_second_record_of_an_event_is_a_duplicate",
        ),
        servers=True,
    ),
)
