"""Bugs of the translation of Stripe's events into facts."""

from typing import Final

from tests.mutants.planted import Bug

BUGS: Final = (
    Bug(
        "providers",
        "providers.stripe.translate:_payment",
        "if status is ProviderStatus.SUCCEEDED else 0",
        "if status else 0",
        "a received amount counts before the payment has succeeded",
        (
            "tests/providers/stripe/test_translate_payments.py::test_nothing_is_captured_before_the_payment_has_succeeded",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_unknown_status",
        ", unknown_status=True",
        "",
        "a new status is dropped, and no metric counts it",
        (
            "tests/providers/stripe/test_translate_tables.py::test_an_unknown_status_changes_nothing",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_payment",
        "status is ProviderStatus.OPEN and error is not None",
        "error is not None",
        "a payment that succeeded at its second attempt is shown as failed",
        (
            "tests/providers/stripe/test_translate_payments.py::test_an_earlier_attempts_error_is_ignored",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_payment",
        "CancelCause.PROVIDER)",
        "CancelCause.REQUESTED)",
        "a payment that the provider cancelled is shown as cancelled by the client",
        ("tests/providers/stripe/test_translate_payments.py::test_a_cancellation_has_a_cause",),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_payment",
        "caused_by=event.request.idempotency_key if event.request is not None else None",
        "caused_by=None",
        "no event proves which payment owns an object: each waits for a result that may be lost",
        (
            "tests/providers/stripe/test_translate_payments.py::test_an_event_has_the_key_of_its_call",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_payment",
        "action_url=_action_url(intent.next_action)",
        "action_url=None",
        "the client is not shown where the customer has to go",
        (
            "tests/providers/stripe/test_translate_payments.py::test_the_action_url_is_the_redirects",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_refund",
        "claims if is_refund_id(claims) else None",
        "claims or None",
        "any text in a refund's metadata becomes one of our IDs",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refunds_id_is_derived_from_stripes",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_refund",
        'provider_made_id("ref", "stripe", refund.id)',
        'provider_made_id("ref", "stripe", refund.payment_intent)',
        "two refunds made at the provider become one",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_event_reports_the_refunds_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_refund",
        "object_id=refund.payment_intent",
        "object_id=refund.id",
        "every refund event contradicts its payment's object",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_event_reports_the_refunds_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_refund",
        "refund.currency.upper()",
        "refund.currency",
        "every refund event contradicts its payment's currency",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_event_reports_the_refunds_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_refund",
        "caused_by=event.request.idempotency_key if event.request is not None else None",
        "caused_by=None",
        "a requested refund whose response was lost is never recognised by its event",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_has_its_call_key_if_stripe_reports_it",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_refund",
        "reason=refund.reason",
        "reason=refund.failure_reason",
        "a refund made at the provider is shown without its reason",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_event_reports_the_refunds_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_refund",
        "if refund.payment_intent is None:",
        "if False:",
        "a refund of no payment intent is a dead letter instead of ignored",
        (
            "tests/providers/stripe/test_translate_tables.py::test_an_object_without_a_payment_intent_changes_nothing",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_dispute",
        'provider_made_id("dis", "stripe", dispute.id)',
        'provider_made_id("dis", "stripe", dispute.payment_intent)',
        "two disputes of one payment become one",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_dispute_event_reports_the_disputes_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_dispute",
        "dispute.currency.upper()",
        "dispute.currency",
        "every dispute contradicts its payment's currency",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_dispute_event_reports_the_disputes_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_dispute",
        "if dispute.payment_intent is None:",
        "if False:",
        "a dispute of no payment intent is a dead letter instead of ignored",
        (
            "tests/providers/stripe/test_translate_tables.py::test_an_object_without_a_payment_intent_changes_nothing",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:PAYMENT_STATUS",
        '"requires_capture": ProviderStatus.AUTHORIZED',
        '"requires_capture": ProviderStatus.SUCCEEDED',
        "an authorization is published as a success",
        (
            "tests/providers/stripe/test_translate_payments.py::test_a_payment_event_reports_its_objects_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:PAYMENT_STATUS",
        '"processing": ProviderStatus.PENDING',
        '"processing": ProviderStatus.OPEN',
        "a payment that is still processing asks for another payment method",
        (
            "tests/providers/stripe/test_translate_tables.py::test_every_published_status_is_translated",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:REFUND_STATUS",
        '"canceled": RefundStatus.CANCELED',
        '"canceled": RefundStatus.FAILED',
        "a refund that was cancelled is shown as failed",
        (
            "tests/providers/stripe/test_translate_tables.py::test_every_published_status_is_translated",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:DISPUTE_STATUS",
        '"warning_closed": DisputeStatus.WARNING_CLOSED',
        '"warning_closed": DisputeStatus.LOST',
        "an inquiry that ended is shown as a lost dispute",
        (
            "tests/providers/stripe/test_translate_tables.py::test_every_published_status_is_translated",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_action_url",
        "isinstance(url, str)",
        "url",
        "a URL that is no text makes a snapshot that no client can read",
        (
            "tests/providers/stripe/test_translate_payments.py::test_the_action_url_is_the_redirects",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_attempt_ref",
        "if isinstance(ref, str)",
        "if ref",
        "a payment method that is no text stops the payment",
        (
            "tests/providers/stripe/test_translate_payments.py::test_an_attempt_is_named_by_its_charge_or_its_payment_method",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:TRANSLATORS",
        '"charge.dispute.funds_reinstated": _dispute,',
        "",
        "money that a won dispute gave back is not recorded",
        (
            "tests/providers/stripe/test_translate_money.py::test_every_type_of_event_that_affects_a_payment_is_translated",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:TRANSLATORS",
        '"payment_intent.amount_capturable_updated": _payment,',
        "",
        "an authorization is recorded only after a look-up",
        (
            "tests/providers/stripe/test_translate_money.py::test_every_type_of_event_that_affects_a_payment_is_translated",
        ),
    ),
)
