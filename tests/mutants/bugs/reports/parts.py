"""Bugs of looking at the parts of payments: refunds, disputes and fraud warnings."""

from typing import Final

from tests.mutants.planted import Bug

_PARTS: Final = "tests/providers/stripe/access/test_parts.py::test_{}"
_KIT: Final = "tests/conformance/test_parts.py::test_{}"
_SIMULATOR: Final = "tests/providers/examplepay/test_simulator.py::test_{}"

BUGS: Final = (
    Bug(
        "providers",
        "providers.stripe.client:StripeApi.parts_of",
        "payment_intent=object_id",
        "",
        "each look at one payment reads every refund that the account ever made",
        (_KIT.format("the_parts_of_a_payment_are_as_its_last_webhooks_say"),),
    ),
    Bug(
        "providers",
        "providers.stripe.client:StripeApi.parts_since",
        '{"gte": int(at.timestamp())}',
        '{"lte": int(at.timestamp())}',
        "the daily list has what is old, and not what is new",
        (_KIT.format("the_parts_of_all_payments_since_a_time_are_fetched"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.fetched:Answered.asked_at",
        "self.date - self.took",
        "self.date",
        "what changed while a slow response was on its way loses to the state before it",
        (_PARTS.format("what_changes_while_the_response_is_on_its_way_is_later"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.fetched:PARTS",
        '"fraud_warnings": ("/v1/radar/early_fraud_warnings", RETRIEVED_WARNING),',
        "",
        "a fraud warning whose webhook was lost is never seen",
        (_PARTS.format("the_parts_of_a_payment_are_fetched_in_their_present_state"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.fetched:retrieved",
        "hashlib.sha256(content)",
        "hashlib.sha256(str(at).encode())",
        "each look at an unchanged refund is another event, for ever",
        (_PARTS.format("an_unchanged_part_gives_the_same_event"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.fetched:retrieved",
        'about.get("livemode", is_live)',
        'about.get("livemode", False)',
        "in live mode every refund that is looked at is taken for one of test mode",
        (_PARTS.format("a_fetched_refund_is_of_the_mode_of_the_key"),),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:_may_be_release",
        "event.type == RETRIEVED_REFUND or not has(event.api_version, RELEASES_ARE_NO_REFUNDS)",
        "not has(event.api_version, RELEASES_ARE_NO_REFUNDS)",
        "a cancelled authorization that is looked at is shown as a refund",
        (_PARTS.format("a_fetched_refund_may_be_a_released_authorization"),),
    ),
    Bug(
        "providers",
        "providers.stripe.translate:LISTED_TYPES",
        "name not in OWN_TYPES",
        "name != RETRIEVED",
        "Stripe refuses every question for the event list: it has no such type",
        (_PARTS.format("no_list_of_events_is_asked_for_what_we_made_ourselves"),),
    ),
    Bug(
        "providers",
        "providers.examplepay.client:ExamplePayApi._parts",
        '_next_after(path, "items", items, after) if page.more else None',
        "None",
        "all but the first hundred parts of a day are never looked at",
        (_SIMULATOR.format("parts_are_fetched_page_by_page"),),
    ),
    Bug(
        "providers",
        "providers.examplepay.client:_part",
        "if part is None:",
        "if part is None and not content:",
        "one refund of another form ends every look",
        (_SIMULATOR.format("a_part_that_cannot_be_read_stops_no_other"),),
    ),
    Bug(
        "providers",
        "providers.stripe.refunds:listed_refunds",
        "and _claims(r) == key.name",
        "and _claims(r)",
        "of two refunds of one second, one is proven by the key of the other",
        (
            "tests/providers/stripe/test_versions.py::test_of_refunds_of_one_second_one_that_names_another_of_ours_has_not_the_key",
        ),
    ),
)
