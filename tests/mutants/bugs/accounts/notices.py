"""Bugs of reports of events that were never made: who may send them, and what is read of them."""

from typing import Final

from tests.mutants.planted import Bug

_FILE: Final = "tests/providers/test_file_notices.py::test_{}"
_GAPS: Final = "tests/providers/stripe/notices/test_gaps.py::test_{}"
_PARTS: Final = "tests/providers/stripe/access/test_parts.py::test_{}"
_READING: Final = "tests/providers/stripe/notices/test_reading.py::test_{}"
_ROUTE: Final = "tests/ingress/routes/test_notices.py::test_{}"
_ROUTER: Final = "tests/processor/worker/routing/test_notices.py::test_{}"
_SWEEP: Final = "tests/processor/worker/sweeps/test_notices.py::test_{}"

BUGS: Final = (
    Bug(
        "providers",
        "providers.stripe.webhooks:StripeWebhooks.verify",
        "if any(_is_signed(body, header, secret) for secret in self._secrets):",
        "if self._secrets:",
        "anybody may have payments looked at, as often as they like",
        (_ROUTE.format("a_notice_that_its_own_secret_did_not_sign_is_refused"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.webhooks:receive_notice",
        "context.notices",
        "context.readers",
        "what the secret of webhooks signed is a notice too",
        (_ROUTE.format("a_notice_that_its_own_secret_did_not_sign_is_refused"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.webhooks:_record",
        "*added,",
        "",
        "every notice becomes a dead letter",
        (_ROUTE.format("a_signed_notice_is_published_to_the_router"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.reading:ThinEvent",
        "id: PathId",
        "id: str",
        "a notice has our API key ask for anything",
        (_READING.format("an_id_that_would_lead_elsewhere_is_none"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.reading:StripeNoticeTranslator.notice",
        "if event.object != THIN:",
        "if False:",
        "an event with a payload is taken for a notice of its own kind",
        (_READING.format("an_event_with_a_payload_is_no_notice"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.reading:StripeNoticeTranslator.notice",
        "if event.type != NEVER_MADE:",
        "if False:",
        "every thin event of the account costs a request",
        (_READING.format("only_a_report_of_an_event_that_was_never_made_is_followed"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.reading:StripeNoticeTranslator.notice",
        "if why is not None:",
        "if False:",
        "notices of another account or mode are followed with our key",
        (_READING.format("a_notice_of_another_account_or_mode_is_foreign"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.reading:foreign",
        "livemode if isinstance(livemode, bool) else account.is_live",
        "account.is_live",
        "test notices have live payments looked at",
        (_READING.format("a_notice_of_another_account_or_mode_is_foreign"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.reading:foreign",
        "None if named in connected else named",
        "None",
        "notices of an account that is none of ours are followed",
        (_READING.format("a_notice_of_another_account_or_mode_is_foreign"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.gaps:StripeGaps._gap",
        "if why is not None:",
        "if False:",
        "a content of another account or mode has a payment of ours looked at",
        (_GAPS.format("a_content_of_another_account_or_mode_is_foreign"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.gaps:StripeGaps._gap",
        "if impact.event_type not in LISTED_TYPES:",
        "if False:",
        "every invoice and customer of the account costs requests",
        (_GAPS.format("what_can_have_no_effect_on_a_payment_is_not_looked_for"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.gaps:StripeGaps._gap",
        'self._connected.get(account_in(context) or "", self.name)',
        "self.name",
        "a connected account's object is looked for in the platform's account",
        (_GAPS.format("the_object_is_of_the_account_that_the_content_names"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.gaps:StripeGaps.gap",
        'event_id.removeprefix(scoped(self.name, ""))',
        "event_id",
        "the notices of an account of the file are never found",
        (_GAPS.format("the_content_is_fetched_in_the_version_that_has_it"),),
    ),
    Bug(
        "providers",
        "providers.stripe.notices.gaps:_since",
        "(content.data.started_at, content.data.resolved_at, content.created)",
        "(content.created,)",
        "the event list is read again only from the notice on",
        (_GAPS.format("it_names_the_object_of_the_event_that_was_never_made"),),
    ),
    Bug(
        "providers",
        "providers.stripe.client:StripeApi.parts_of",
        "except NotPermittedError as error:",
        "except MissingError as error:",
        "a key that may not read fraud warnings never finds a refund",
        (_PARTS.format("a_kind_that_our_key_may_not_read_holds_no_other_up"),),
    ),
    Bug(
        "providers",
        "providers.file_accounts:FileAccounts.notice_readers",
        'self._secret(name, "notice_secrets", each) for each in a.notice_secrets',
        'self._secret(name, "webhook_secrets", each) for each in a.webhook_secrets',
        "the secret of webhooks opens the endpoint of notices",
        (_FILE.format("secrets_of_notices_are_rotated_without_a_restart_and_without_a_gap"),),
    ),
    Bug(
        "worker",
        "processor.worker.router:Router._without_notices",
        "except MalformedWebhookError as error:",
        "except KeyError as error:",
        "what is no event stops the router, or is lost",
        (_ROUTER.format("what_is_no_event_at_all_is_a_dead_letter_and_stops_no_other"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.router:Router._without_notices",
        "await with_timeout(ADAPTER_TIMEOUT_S, self._store.keep_notices(kept, self._clock()))",
        "str(kept)",
        "no notice is followed",
        (_ROUTER.format("a_notice_is_kept_until_it_is_followed"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.unrouted_records:as_notice",
        "if translator is None:",
        "if False:",
        "a notice of an account that only the ingress knows yet becomes a dead letter",
        (_ROUTER.format("a_notice_of_an_account_that_is_not_known_yet_waits"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.unrouted_records:as_notice",
        "if notice.is_foreign:",
        "if False:",
        "notices of another account or mode are not counted",
        (_ROUTER.format("a_notice_of_another_account_or_mode_is_ignored_and_counted"),),
        servers=True,
    ),
    Bug(
        "worker",
        "processor.worker.unrouted_records:as_notice",
        "if notice.why is not None:",
        "if False:",
        "notices of every kind, account and mode are followed",
        (
            _ROUTER.format("any_other_notice_is_ignored_with_its_reason"),
            _ROUTER.format("a_notice_of_another_account_or_mode_is_ignored_and_counted"),
        ),
        servers=True,
    ),
    Bug(
        "sql",
        "postgres.routing:KEEP_NOTICES",
        "on conflict do nothing",
        "on conflict (event_id) do update set next_at = excluded.next_at, outcome = null,"
        " reason = null",
        "a notice that comes again is followed again",
        (
            _ROUTER.format("the_same_notice_twice_is_kept_once"),
            _SWEEP.format("it_is_looked_at_once"),
        ),
        servers=True,
    ),
)
