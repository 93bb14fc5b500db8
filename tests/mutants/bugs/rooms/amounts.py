"""Bugs of amounts: currencies, what others change at the provider, and what was lost."""

from typing import Final

from tests.mutants.planted import Bug

_AMOUNTS: Final = "tests/domain/test_amounts.py::test_{}"
_BODIES: Final = "tests/ingress/http/test_bodies.py::test_{}"
_CURRENCIES: Final = "tests/providers/test_currencies.py::test_{}"
_EXAMPLEPAY: Final = "tests/providers/examplepay/test_money.py::test_{}"
_HISTORIES: Final = "tests/domain/test_histories.py::test_{}"
_LOST: Final = "tests/providers/test_lost_amounts.py::test_{}"
_MONEY: Final = "tests/ingress/routes/test_money.py::test_{}"
_SERVICE: Final = "tests/ingress/test_command_service.py::test_{}"
_STATE: Final = "tests/schemas/test_payment_state.py::test_{}"

_IN_STRIPE: Final = (
    (
        "_DECIMALS",
        '"ISK": 2, ',
        "",
        "5000 ISK are collected as 50",
        "stripe_is_asked_for_what_the_client_means",
    ),
    (
        "_DECIMALS",
        ', "MGA": 0',
        "",
        "5000.00 MGA are collected as 500000",
        "stripe_is_asked_for_what_the_client_means",
    ),
    (
        "from_stripe",
        "amount * ours, theirs",
        "amount * theirs, ours",
        "500000 ISK of an event count as fifty million",
        "facts_have_the_same_money_as_the_request",
    ),
    (
        "from_stripe",
        "if rest:",
        "if rest < 0:",
        "a fraction that a currency does not have is cut off",
        "a_fraction_that_a_currency_does_not_have_is_malformed",
    ),
    (
        "_STEPS",
        '"KWD", ',
        "",
        "1.501 KWD is accepted, and refused after the 202",
        "a_fraction_that_stripe_does_not_have_is_refused",
    ),
    (
        "charge_refusal",
        "amount < least",
        "amount <= least",
        "the published minimum itself is refused",
        "less_than_the_published_minimum_is_refused",
    ),
    (
        "charge_refusal",
        "amount > most",
        "amount > 10 * most",
        "thirteen digits are accepted, and refused after the 202",
        "more_digits_than_stripe_takes_are_refused",
    ),
    (
        "charge_refusal",
        "currency not in SUPPORTED",
        "not currency",
        "a currency that Stripe has not is refused after the 202",
        "a_currency_that_stripe_does_not_charge_is_refused",
    ),
)
_TOTAL: Final = (
    "tests/providers/stripe/test_versions.py::test_what_was_given_back_in_all_is_in_our_minor_units"
)

BUGS: Final = (
    *(
        Bug(
            "providers",
            f"providers.stripe.currencies:{symbol}",
            expression,
            replacement,
            consequence,
            (_CURRENCIES.format(test),),
        )
        for symbol, expression, replacement, consequence, test in _IN_STRIPE
    ),
    Bug(
        "providers",
        "providers.stripe.requests:units_of",
        "to_stripe(amount_of(call), currency_of(call))",
        "amount_of(call)",
        "requests have ISO 4217's amounts of every currency",
        (_CURRENCIES.format("stripe_is_asked_for_what_the_client_means"),),
    ),
    Bug(
        "providers",
        "providers.stripe.charges:charge_refunded",
        "from_stripe(charge.amount_refunded, charge.currency.upper())",
        "from_stripe(charge.amount_refunded, charge.currency)",
        "a total of 5000 ISK that were given back counts as one of 500000",
        (_TOTAL,),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_fact",
        "from_stripe(refund.amount, currency)",
        "refund.amount",
        "a refund of 5000 ISK counts as one of 500000",
        (_CURRENCIES.format("facts_have_the_same_money_as_the_request"),),
    ),
    Bug(
        "providers",
        "providers.stripe.disputes:dispute_fact",
        "from_stripe(dispute.amount, currency)",
        "dispute.amount",
        "a dispute over 5000 ISK is shown as one over 500000",
        (_CURRENCIES.format("a_disputes_movements_are_converted_by_their_own_currency"),),
    ),
    Bug(
        "providers",
        "providers.stripe.disputes:_movement",
        "from_stripe(moved.amount, currency)",
        "moved.amount",
        "5000 withdrawn ISK count as 500000",
        (_CURRENCIES.format("a_disputes_movements_are_converted_by_their_own_currency"),),
    ),
    Bug(
        "providers",
        "providers.stripe.client:_impossible_amount",
        "is Operation.CREATE else part_refusal",
        "is Operation.CREATE else charge_refusal",
        "a refund of less than the least payment is refused",
        (_CURRENCIES.format("a_small_part_is_no_impossible_amount"),),
    ),
    Bug(
        "providers",
        "providers.stripe.client:StripeApi.prepare",
        "_impossible_amount(call) or",
        "",
        "an impossible amount is asked for",
        (_CURRENCIES.format("a_call_with_an_impossible_amount_is_refused_without_a_request"),),
    ),
    Bug(
        "providers",
        "providers.examplepay.client:ExamplePayApi.prepare",
        "if refused is not None",
        "if refused is None and refused",
        "a command in no currency fails for ever in the worker",
        ("tests/conformance/test_money.py::test_no_payment_is_made_in_what_is_no_currency",),
    ),
    Bug(
        "providers",
        "providers.examplepay.money:minor_units",
        "EXPONENTS.get(currency)",
        "EXPONENTS.get(currency, 2)",
        "an unknown currency is taken to have two decimals",
        (_EXAMPLEPAY.format("an_amount_in_an_unknown_currency_is_malformed"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_present",
        "if amount is None:",
        "if amount is None and not field: return 0\n    if amount is None: return 0\n    if False:",
        "a success that lost its amount is a payment of nothing for ever",
        (_LOST.format("a_payment_that_lost_the_amount_that_counts_is_malformed"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:_money",
        'received + _present(intent.amount_capturable, "amount_capturable")',
        "intent.amount",
        "a part of the asked amount is authorized, and all of it is shown as authorized",
        (_LOST.format("what_is_authorized_is_what_can_be_captured"),),
    ),
    Bug(
        "providers",
        "providers.stripe.shapes:PaymentIntent",
        "amount_received: Amount | None = None",
        "amount_received: Amount | None = 0",
        "a payment that lost what was received is one of nothing",
        (_LOST.format("no_shape_has_a_default_for_money"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_amount_in",
        "not isinstance(amount, int)",
        "not isinstance(amount, int | None)",
        "a refund that is listed without its amount is made a second time",
        (_LOST.format("a_listed_refund_that_lost_its_amount_is_not_made_again"),),
    ),
    Bug(
        "providers",
        "domain.calls:capture_method_of",
        "if call.capture_method is None:",
        "if call.capture_method == ():",
        "a call that lost its capture method captures at once",
        ("tests/providers/test_amounts.py::test_a_create_without_a_capture_method_is_never_sent",),
    ),
    Bug(
        "ingress",
        "schemas.http:_PartRequest",
        "amount: _PartAmount",
        'amount: _PartAmount = "all"',
        "a body that lost its amount captures or refunds everything",
        (_BODIES.format("an_amount_is_a_positive_integer_or_all"),),
    ),
    Bug(
        "ingress",
        "schemas.commands:RefundPayment",
        "amount: AmountOrAll",
        'amount: AmountOrAll = "all"',
        "a command that lost its amount refunds everything",
        (_BODIES.format("a_command_without_an_amount_field_is_invalid"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.payment_commands:_check_create",
        "if refusal is not None",
        "if refusal is None and refusal",
        "an impossible amount is refused only after the 202",
        (_MONEY.format("an_impossible_amount_or_currency_is_a_422"),),
    ),
    Bug(
        "ingress",
        "ingress.command_service:CommandService.accept",
        "except InvalidFieldsError:",
        "except InvalidFieldsError: raise\n        except ZeroDivisionError:",
        "a key is taken by a body that was refused",
        (_SERVICE.format("a_body_that_a_check_refuses_leaves_its_key_free"),),
    ),
    Bug(
        "domain",
        "domain.view:authorized",
        "max(fact.amount, fact.captured)",
        "fact.amount",
        "more is captured than is authorized",
        (_AMOUNTS.format("an_amount_captured_beyond_the_authorized_one_counts_as_both"),),
    ),
    Bug(
        "domain",
        "domain.view:authorized",
        "max(fact.amount, fact.captured)",
        "payment.amount",
        "an authorization that was raised at the provider can't be captured",
        (_AMOUNTS.format("a_changed_amount_is_taken_in_and_the_asked_one_stays"),),
    ),
    Bug(
        "domain",
        "domain.facts.join:order",
        "RANK[fact.status], fact.amount, fact.event_id",
        "RANK[fact.status], fact.event_id",
        "of two increments within one second the lower one may count",
        (_HISTORIES.format("every_possible_order_ends_in_the_same_state"),),
    ),
    Bug(
        "domain",
        "domain.on_command:_capture",
        "held = authorized(payment)",
        "held = payment.amount",
        "a client can't capture what was authorized beyond its amount",
        (_AMOUNTS.format("a_client_captures_up_to_what_is_authorized"),),
    ),
    Bug(
        "ops",
        "schemas.state:RefundState",
        "amount: Annotated[MinorUnits",
        "amount: Annotated[Amount",
        "a refund of nothing quarantines its payment",
        (_STATE.format("a_payment_at_every_step_of_its_history"),),
    ),
    Bug(
        "providers",
        "providers.examplepay.money:ExamplePayMoney.refuses",
        "10 ** (_WHOLE_DIGITS + decimals) - 1",
        "10 ** (_WHOLE_DIGITS + decimals)",
        "an amount is accepted that the provider cannot report back",
        (
            "tests/providers/examplepay/test_money.py::test_the_largest_amount_has_twelve_digits_before_the_point",
        ),
    ),
)
