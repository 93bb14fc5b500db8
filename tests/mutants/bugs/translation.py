"""Bugs of the translation of Stripe's events into facts."""

from typing import Final

from tests.mutants.planted import Bug

_WRITTEN: Final = "tests/providers/stripe/test_written_by_others.py::test_{}"

BUGS: Final = (
    Bug(
        "providers",
        "providers.stripe.refunds:_claims",
        "refund.metadata if isinstance(refund.metadata, dict) else {}",
        "refund.metadata or {}",
        "metadata that is no object makes its refund a dead letter",
        (_WRITTEN.format("metadata_of_any_form_hides_no_event"),),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_claims",
        "isinstance(claims, str) and",
        "",
        "a refund ID that somebody wrote as something else makes its refund a dead letter",
        (_WRITTEN.format("metadata_of_any_form_hides_no_event"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_money",
        "if status is ProviderStatus.SUCCEEDED else 0",
        "if status else 0",
        "a received amount counts before the payment has succeeded",
        (
            "tests/providers/stripe/test_translate_payments.py::test_nothing_is_captured_before_the_payment_has_succeeded",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.unmodelled:unknown_status",
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
        "names_cause=_names_cause(event, status)",
        "names_cause=False",
        "a cancel in the Dashboard waits for the answer to our own",
        (
            "tests/providers/stripe/test_translate_payments.py::test_a_cancellation_has_the_cause_that_its_key_names",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_payment",
        "caused_by=event.key",
        "caused_by=None",
        "no event proves which payment owns an object: each waits for a result that may be lost",
        (
            "tests/providers/stripe/test_translate_payments.py::test_an_event_has_the_key_of_its_call",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_payment",
        "action_url=hosted_page(in_newest_form(intent.next_action, intent.next_source_action))",
        "action_url=None",
        "the client is not shown where the customer has to go",
        (
            "tests/providers/stripe/test_translate_payments.py::test_the_action_url_is_the_redirects",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_claims",
        "isinstance(claims, str) and is_refund_id(claims)",
        "isinstance(claims, str) and claims",
        "any text in a refund's metadata becomes one of our IDs",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refunds_id_is_derived_from_stripes",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_fact",
        'provider_made_id("ref", "stripe", refund.id)',
        'provider_made_id("ref", "stripe", refund.payment_intent)',
        "two refunds made at the provider become one",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_event_reports_the_refunds_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_fact",
        "object_id=object_id",
        "object_id=refund.id",
        "every refund event contradicts its payment's object",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_event_reports_the_refunds_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_fact",
        "currency=currency",
        "currency=refund.currency",
        "every refund event contradicts its payment's currency",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_event_reports_the_refunds_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_fact",
        "caused_by=key",
        "caused_by=None",
        "a requested refund whose response was lost is never recognised by its event",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_has_its_call_key_if_stripe_reports_it",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_fact",
        "reason=refund.reason",
        "reason=refund.failure_reason",
        "a refund made at the provider is shown without its reason",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_refund_event_reports_the_refunds_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:refund_fact",
        "if refund.payment_intent is None:",
        "if False:",
        "a refund of no payment intent is a dead letter instead of ignored",
        (
            "tests/providers/stripe/test_translate_tables.py::test_an_object_without_a_payment_intent_changes_nothing",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.disputes:dispute_fact",
        'provider_made_id("dis", "stripe", dispute.id)',
        'provider_made_id("dis", "stripe", dispute.payment_intent)',
        "two disputes of one payment become one",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_dispute_event_reports_the_disputes_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.disputes:dispute_fact",
        "dispute.currency.upper()",
        "dispute.currency",
        "every dispute contradicts its payment's currency",
        (
            "tests/providers/stripe/test_translate_money.py::test_a_dispute_event_reports_the_disputes_status",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.disputes:dispute_fact",
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
        "providers.stripe.refunds:REFUND_STATUS",
        '"canceled": RefundStatus.CANCELED',
        '"canceled": RefundStatus.FAILED',
        "a refund that was cancelled is shown as failed",
        (
            "tests/providers/stripe/test_translate_tables.py::test_every_published_status_is_translated",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.disputes:DISPUTE_STATUS",
        '"warning_closed": DisputeStatus.WARNING_CLOSED',
        '"warning_closed": DisputeStatus.LOST',
        "an inquiry that ended is shown as a lost dispute",
        (
            "tests/providers/stripe/test_translate_tables.py::test_every_published_status_is_translated",
        ),
    ),
    Bug(
        "providers",
        "providers.stripe.actions:hosted_page",
        "isinstance(url, str) and",
        "",
        "a URL that is no text makes the event a dead letter",
        ("tests/providers/stripe/test_actions.py::test_a_hosted_page_is_found",),
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
        '"charge.dispute.funds_reinstated": dispute_fact,',
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
