"""Bugs of the adapters of the providers."""

from typing import Final

from tests.mutants.planted import Bug

_OUTCOMES: Final = "tests/providers/stripe/test_outcomes.py::test_{}"
_REQUESTS: Final = "tests/providers/stripe/test_requests.py::test_{}"
_TRANSLATE_MONEY: Final = "tests/providers/stripe/test_translate_money.py::test_{}"
_TRANSLATE_PAYMENTS: Final = "tests/providers/stripe/test_translate_payments.py::test_{}"
_TRANSLATE_TABLES: Final = "tests/providers/stripe/test_translate_tables.py::test_{}"

BUGS: Final = (
    Bug(
        "providers",
        "providers.stripe.translate:_money",
        "captured = received if",
        "captured = amount if",
        "after a partial capture the whole amount counts as captured",
        (_TRANSLATE_PAYMENTS.format("a_partial_capture_keeps_the_authorized_amount"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_payment",
        "currency = intent.currency.upper()",
        "currency = intent.currency",
        "every webhook contradicts its payment's currency",
        (_TRANSLATE_PAYMENTS.format("a_payment_event_reports_its_objects_status"),),
    ),
    Bug(
        "providers",
        "providers.stripe.disputes:DISPUTE_STATUS",
        '"prevented": DisputeStatus.PREVENTED',
        '"prevented": DisputeStatus.WON',
        "a prevented dispute is published as won",
        (_TRANSLATE_TABLES.format("every_published_status_is_translated"),),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:REFUND_STATUS",
        '"requires_action": RefundStatus.REQUIRES_ACTION',
        '"requires_action": RefundStatus.PENDING',
        "a refund that waits for the customer is shown as pending",
        (_TRANSLATE_TABLES.format("every_published_status_is_translated"),),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:refund_fact",
        'refund.status or "pending"',
        'refund.status or "succeeded"',
        "a refund without a status is published as a success",
        (_TRANSLATE_MONEY.format("a_refund_event_reports_the_refunds_status"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_attempt_ref",
        'error.charge or method.get("id")',
        'method.get("id")',
        "two declines of one card count as one attempt",
        (_TRANSLATE_PAYMENTS.format("an_attempt_is_named_by_its_charge_or_its_payment_method"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_failure",
        "error.decline_code or error.code",
        "error.code",
        "the client gets card_declined instead of the reason",
        (_TRANSLATE_PAYMENTS.format("a_failed_attempt_is_not_final"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:TRANSLATORS",
        '"charge.refund.updated": refund_fact,',
        "",
        "a refund that fails late is never reported by older API versions",
        (_TRANSLATE_MONEY.format("every_type_of_event_that_affects_a_payment_is_translated"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_names_cause",
        "status is ProviderStatus.CANCELED and event.names_request",
        "status is ProviderStatus.CANCELED",
        "a report that names no call is taken for a cancel by the provider",
        (_TRANSLATE_PAYMENTS.format("a_cancellation_has_the_cause_that_its_key_names"),),
    ),
    Bug(
        "providers",
        "providers.stripe.requests:_create",
        "{**call.metadata, PAYMENT_ID_KEY: call.payment_id}",
        "{PAYMENT_ID_KEY: call.payment_id, **call.metadata}",
        "a client's metadata overwrites the payment ID that we route by",
        (_REQUESTS.format("a_clients_metadata_cannot_replace_our_id"),),
    ),
    Bug(
        "providers",
        "providers.stripe.requests:_create",
        "currency_of(call).lower()",
        "currency_of(call)",
        "a request is not in the form that Stripe documents",
        (_REQUESTS.format("each_operation_is_one_request"),),
    ),
    Bug(
        "providers",
        "providers.stripe.requests:request_for",
        '{"amount_to_capture": units_of(call)}',
        "{}",
        "a partial capture captures everything",
        (_REQUESTS.format("each_operation_is_one_request"),),
    ),
    Bug(
        "providers",
        "providers.stripe.requests:_refund",
        ", REFUND_ID_KEY: call.refund_id",
        "",
        "a requested refund is reported as made at the provider",
        (_REQUESTS.format("each_operation_is_one_request"),),
    ),
    Bug(
        "providers",
        "providers.stripe.outcomes:outcome_of_error",
        ">= _SERVER_ERROR",
        "> _SERVER_ERROR",
        "a stored 500 is requested again and again under its key",
        (_OUTCOMES.format("a_replayed_server_error_would_be_repeated"),),
    ),
    Bug(
        "providers",
        "providers.stripe.outcomes:_is_wrong_account",
        'and error.param != "payment_method"',
        "",
        "a mistyped payment method is retried for ever instead of refused",
        (_OUTCOMES.format("an_invalid_request_is_a_refusal"),),
    ),
)
