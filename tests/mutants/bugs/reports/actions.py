"""Bugs of next actions and client secrets: what a customer is sent to, and what is kept."""

from typing import Final

from tests.mutants.planted import Bug

_ACTIONS: Final = "tests/providers/stripe/test_actions.py::test_{}"
_ATTEMPTS: Final = "tests/domain/test_attempts.py::test_{}"
_REQUESTS: Final = "tests/ingress/http/test_requests.py"
_ROUTE: Final = "tests/ingress/routes/test_client_secret.py::test_{}"
_SECRETS: Final = "tests/providers/stripe/test_secrets.py::test_{}"

BUGS: Final = (
    Bug(
        "domain",
        "domain.view:next_action",
        "if live.action_url is None:",
        "if False:",
        "a customer is redirected to no address",
        (_ATTEMPTS.format("an_action_without_a_page_is_the_sdks"),),
    ),
    Bug(
        "providers",
        "providers.stripe.actions:hosted_page",
        "and url.startswith(_WEB)",
        "",
        "a customer is redirected to javascript",
        (_ACTIONS.format("a_hosted_page_is_found"),),
    ),
    Bug(
        "providers",
        "providers.stripe.actions:HOSTED",
        '"oxxo_display_details": "hosted_voucher_url"',
        '"oxxo_display_details": "url"',
        "a voucher's page is not shown",
        (_ACTIONS.format("the_fields_are_those_of_the_package"),),
    ),
    Bug(
        "providers",
        "providers.stripe.access.fetched:_body",
        'without_client_secrets(json.dumps(event, separators=(",", ":")).encode())',
        'json.dumps(event, separators=(",", ":")).encode()',
        "the client secrets of fetched objects are in the log and in Postgres for months",
        (_SECRETS.format("fetched_events_and_objects_have_no_secret"),),
    ),
    Bug(
        "providers",
        "providers.stripe.secrets_in_bodies:_MEMBER",
        '(?<!\\\\"client_secret")',
        "",
        "a text that ends like the member is cut too",
        (_SECRETS.format("every_other_byte_stays"),),
    ),
    Bug(
        "providers",
        "providers.stripe.client_secrets:StripeClientSecrets.client_secret",
        "asyncio.timeout(self._deadline_s), self._slots",
        "asyncio.timeout(self._deadline_s)",
        "any number of clients ask Stripe at once, and it refuses everybody's calls",
        (_SECRETS.format("no_more_are_read_at_a_time_than_allowed"),),
    ),
    Bug(
        "ingress",
        "ingress.routes.webhooks:_receive",
        "reader.without_secrets(body)",
        "body",
        "every payment's client secret is in the log and in Postgres for months",
        ("tests/ingress/routes/test_webhooks.py::test_a_client_secret_is_not_published",),
    ),
    Bug(
        "ingress",
        "ingress.routes.client_secret:get_client_secret",
        "waiting.action not in _BY_CUSTOMER or waiting.object_id is None",
        "waiting.object_id is None",
        "the client secret of a payment that is over is served",
        (_ROUTE.format("a_payment_that_does_not_wait_for_its_customer_has_none"),),
        servers=True,
    ),
    Bug(
        "ingress",
        "postgres.reads:WAITING",
        "and tenant = %(tenant)s",
        "and %(tenant)s::text is not null",
        "a client secret is read for another tenant, should its payment ID be guessed",
        ("tests/ingress/routes/test_client_secret.py::test_another_tenant_reads_nothing",),
        servers=True,
    ),
    Bug(
        "ingress",
        "schemas.http:_goes_back",
        "url.scheme in _NOT_AN_APPS or",
        "",
        "a customer is sent back to javascript of the client's choice",
        (_REQUESTS,),
    ),
)
