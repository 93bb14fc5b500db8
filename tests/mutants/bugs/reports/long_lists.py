"""Bugs of look-ups in an account with many payments: what is asked, and what is remembered."""

from typing import Final

from tests.mutants.planted import Bug

_LONG: Final = "tests/providers/stripe/access/test_long_lists.py::test_{}"
_MANY: Final = _LONG.format(
    "a_create_that_never_happened_among_many_payments_is_proved_in_bounded_attempts"
)
_REFUND: Final = "tests/providers/stripe/access/test_refund_look_up.py::test_{}"
_FAR: Final = _REFUND.format("an_event_of_another_time_tells_as_much_where_only_some_are_near")
_TIMELESS: Final = _REFUND.format("a_refund_that_is_listed_without_its_time_is_found")

_INTERRUPTED: Final = "tests/providers/stripe/access/test_interrupted_look_ups.py::test_{}"

BUGS: Final = (
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps.outcome",
        "(call.key, first_tried_at, last_tried_at)",
        "(call.payment_id, first_tried_at, last_tried_at)",
        "of two refunds of a payment that are looked up, one is made a second time",
        (_INTERRUPTED.format("two_calls_of_one_payment_read_for_themselves"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps.outcome",
        "None if last_tried_at is None else",
        "",
        "what a try has done since the last look-up is not found",
        (_INTERRUPTED.format("without_a_last_try_everything_is_read_again"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps.outcome",
        "self._readings.end(key)  # the object",
        "pass  # the object",
        "a look-up whose place in a list was deleted fails for ever",
        (_INTERRUPTED.format("when_the_place_is_gone_everything_is_read_again"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_created",
        "if searched is not None:",
        "if False:",
        "finding a create in a busy account takes hundreds of requests",
        (_LONG.format("a_create_among_many_payments_is_found_with_few_requests"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_searched",
        "is_caused_by(event, call) and",
        "",
        "an intent on which somebody wrote our ID is taken if only it was made by a request",
        (_LONG.format("what_the_search_finds_is_ours_only_if_an_event_says_so"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_searched",
        "except (NotAllReadError, ProviderUnavailableError):",
        "except NotAllReadError:",
        "an account without the search never gets to know what became of a create",
        (_LONG.format("a_create_that_the_search_does_not_have_is_found_in_the_lists"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_searched",
        "except RateLimitedError:",
        "except ZeroDivisionError:",
        "a look-up that the rate limit forbids asks on and on",
        (_LONG.format("a_rate_limit_of_the_search_is_one_of_the_look_up"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_window",
        "if last_tried_at is not None:",
        "if False:",
        "a look-up that is repeated reads more each day",
        (_LONG.format("what_was_made_before_the_first_or_after_the_last_try_is_not_asked_for"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps.outcome",
        "(call.key, first_tried_at, last_tried_at)",
        "(call.key, first_tried_at)",
        "what was read before a call was tried again counts after it: the customer pays twice",
        (_LONG.format("another_generation_of_tries_is_looked_up_from_the_beginning"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps.outcome",
        "None if last_tried_at is None else (call.key",
        "None if call.key is None else (call.key",
        "what was read before a try counts after it: the customer pays twice",
        (_LONG.format("without_the_last_try_nothing_is_remembered"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.reading:Reading.page",
        "self.requests_left -= 1",
        "self.requests_left -= 0",
        "one look-up in a busy account takes the requests of everybody for minutes",
        (_MANY,),
    ),
    Bug(
        "providers",
        "providers.stripe.access.reading:Readings.begin",
        "self._known.setdefault(key, Reading(self._get, REQUESTS_MAX))",
        "Reading(self._get, REQUESTS_MAX)",
        "a create in a busy account stays unknown for ever: no attempt comes to the end",
        (_MANY,),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_cancel",
        "_around(at) if isinstance(at, int) else window",
        "window",
        "the look-up of a cancel reads every cancel of the account",
        (_LONG.format("a_cancel_is_found_at_the_time_of_the_cancel"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_refund",
        "not any(ours.values()) and len(ours) < len(possible)",
        "True",
        "the look-up of a refund reads the events of every refund of the account",
        (_LONG.format("a_refund_among_many_is_found_with_few_requests"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_refund",
        "and len(ours) < len(possible)",
        "and not ours",
        "a refund that another call made is taken for ours, which is never made",
        (_FAR,),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:LookUps._find_refund",
        'if "created" in item:',
        "if True:",
        "a refund that is listed without its time keeps the outcome unknown for ever",
        (_TIMELESS,),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_is_about_any",
        '{item["id"], item.get("charge")}',
        '{item["id"]}',
        "in an account of an old version a refund of ours stays unknown for ever",
        (_TIMELESS,),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_ascribed",
        "for item in near} - ascribed.keys()",
        "for item in near}",
        "somebody's refund of the same second keeps ours unknown for ever",
        (_REFUND.format("somebodys_refund_of_the_same_second_leaves_ours"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.look_ups:_may_be_made",
        'item.get("created", since)',
        'item.get("created", 0)',
        "a refund that is listed without its time is not found, and made a second time",
        (_TIMELESS,),
    ),
)
