"""Bugs of the answers to operations."""

from typing import Final

from tests.mutants.planted import Bug

_DOMAIN: Final = "tests/domain/operations/test_changes.py::test_{}"
_STREAM: Final = "tests/processor/operations/test_published.py::test_{}"

BUGS: Final = (
    Bug(
        "domain",
        "domain.operations.changes:_decided",
        "case Outcome.REJECTED | Outcome.CONFLICT:",
        "case Outcome.CONFLICT:",
        "nobody learns that a command was rejected",
        (_DOMAIN.format("a_rejected_command_has_a_code_and_the_reason"),),
    ),
    Bug(
        "domain",
        "domain.operations.changes:_decided",
        "decision.payment is not None and decision.payment.tenant == command.tenant",
        "decision.payment is not None",
        "another tenant's rejected command says which version the payment has",
        (_DOMAIN.format("a_rejected_command_has_a_code_and_the_reason"),),
    ),
    Bug(
        "domain",
        "domain.operations.changes:_ended",
        "elif is_final(after.status) and call not in after.calls:",
        "elif False:",
        "a cancel of a payment that ended before the provider was asked is never answered",
        (_DOMAIN.format("a_cancel_ends_with_a_payment_that_ended_before_the_provider_was_asked"),),
    ),
    Bug(
        "domain",
        "domain.operations.changes:_ended",
        "is_final(after.status) and call not in after.calls",
        "is_final(after.status)",
        "an operation that the provider still carries out is refused",
        (_DOMAIN.format("what_a_fact_shows_first_is_done_once_the_provider_answers"),),
    ),
    Bug(
        "domain",
        "domain.operations.changes:_overtaken",
        "is_cancel and after.status is Status.CANCELED",
        "is_cancel",
        "a cancel counts as done although the payment was paid",
        (_DOMAIN.format("a_cancel_ends_with_a_payment_that_ended_before_the_provider_was_asked"),),
    ),
    Bug(
        "domain",
        "domain.operations.changes:_end",
        "OperationStatus.DONE if refusal is None else OperationStatus.REFUSED",
        "OperationStatus.DONE",
        "an operation that the provider refused is done",
        (_DOMAIN.format("it_is_refused_with_the_providers_code_and_words"),),
    ),
    Bug(
        "domain",
        "domain.operations.changes:_call_of",
        "after.capture.number if after.capture else 1",
        "1",
        "a second capture is never answered",
        (_DOMAIN.format("a_capture_after_a_refused_one_has_its_own_end"),),
    ),
    Bug(
        "domain",
        "domain.operations.changes:_call_of",
        "len(after.attempts)",
        "1",
        "a confirm is never answered",
        (_DOMAIN.format("it_is_done_once_the_provider_has_it"),),
    ),
    Bug(
        "stream",
        "postgres.batch.transaction:_write_inbox",
        "or row.changes_operations",
        "",
        "after a crash nobody learns that a command was rejected",
        (_STREAM.format("a_crash_before_the_publishing_is_repaired"),),
        servers=True,
    ),
    Bug(
        "stream",
        "postgres.batch.operations:write_operations",
        "await connection.execute(sql.INSERT_UNPUBLISHED_OPERATIONS, as_columns(rows, 7))",
        "pass",
        "after a crash the answers to operations are never published",
        (_STREAM.format("a_new_owner_publishes_what_the_former_one_left"),),
        servers=True,
    ),
    Bug(
        "stream",
        "postgres.batch.statements:END_EMPTY_PUBLICATIONS",
        """and not exists (select from unpublished_operations o
                        where o.publication_id = p.publication_id)""",
        "",
        "an answer that was not published is marked as published when a quarantine begins",
        (_STREAM.format("a_quarantine_announced_beside_an_answer_leaves_the_answer"),),
        servers=True,
    ),
    Bug(
        "stream",
        "postgres.batch.statements:MARK_PUBLISHED",
        "where o.publication_id = marked.publication_id)",
        "where false)",
        "published answers stay in the table of unpublished ones for ever",
        (_STREAM.format("the_table_has_what_was_published_last"),),
        servers=True,
    ),
    Bug(
        "stream",
        "messaging.transactional_publisher:StatePublisher._transact",
        "await _send(producer, PAYMENT_STATE, versions)",
        "pass",
        "answers are published without their versions",
        (_STREAM.format("a_change_is_in_the_transaction_of_its_version_and_sent_after_it"),),
        servers=True,
    ),
)
