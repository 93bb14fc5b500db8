"""The API as a table: each operation's method, path, name, parameters and function."""

from collections.abc import Callable
from dataclasses import dataclass

from stripe import params as published
from stripe.params import radar
from stripe.params.v2 import core

from sandbox.stripe_simulator.api import lists, search, thin_events, webhook_endpoints
from sandbox.stripe_simulator.objects import disputes, fraud_warnings, payment_intents, refunds
from sandbox.stripe_simulator.params import names_of
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    Args:
        method: the HTTP method.
        path: the path, with ``{id}`` for the object's ID.
        name: its name in statistics and executions.
        known: the parameters it accepts, as the ``stripe`` package declares them.
        run: executes it; returns the response's body or raises ApiError.
    """

    method: str
    path: str
    name: str
    known: frozenset[str]
    run: Callable[[World, Call], JsonObject]


OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(method, path, name, names_of(parameters), run)
    for method, path, name, parameters, run in (
        ("POST", "/v1/payment_intents", "payment_intent.create",
         published.PaymentIntentCreateParams, payment_intents.create),
        ("GET", "/v1/payment_intents", "payment_intent.list",
         published.PaymentIntentListParams, lists.payment_intents),
        ("GET", "/v1/payment_intents/search", "payment_intent.search",
         published.PaymentIntentSearchParams, search.payment_intents),
        ("GET", "/v1/payment_intents/{id}", "payment_intent.retrieve",
         published.PaymentIntentRetrieveParams, payment_intents.retrieve),
        ("POST", "/v1/payment_intents/{id}", "payment_intent.update",
         published.PaymentIntentUpdateParams, payment_intents.update),
        ("POST", "/v1/payment_intents/{id}/confirm", "payment_intent.confirm",
         published.PaymentIntentConfirmParams, payment_intents.confirm),
        ("POST", "/v1/payment_intents/{id}/increment_authorization",
         "payment_intent.increment_authorization",
         published.PaymentIntentIncrementAuthorizationParams,
         payment_intents.increment_authorization),
        ("POST", "/v1/payment_intents/{id}/capture", "payment_intent.capture",
         published.PaymentIntentCaptureParams, payment_intents.capture),
        ("POST", "/v1/payment_intents/{id}/cancel", "payment_intent.cancel",
         published.PaymentIntentCancelParams, payment_intents.cancel),
        ("GET", "/v1/charges", "charge.list",
         published.ChargeListParams, lists.charges),
        ("GET", "/v1/charges/{id}", "charge.retrieve",
         published.ChargeRetrieveParams, payment_intents.retrieve_charge),
        ("POST", "/v1/refunds", "refund.create",
         published.RefundCreateParams, refunds.create),
        ("GET", "/v1/refunds", "refund.list",
         published.RefundListParams, lists.refunds),
        ("GET", "/v1/refunds/{id}", "refund.retrieve",
         published.RefundRetrieveParams, refunds.retrieve),
        ("POST", "/v1/refunds/{id}", "refund.update",
         published.RefundUpdateParams, refunds.update),
        ("POST", "/v1/refunds/{id}/cancel", "refund.cancel",
         published.RefundCancelParams, refunds.cancel),
        ("GET", "/v1/disputes", "dispute.list",
         published.DisputeListParams, lists.disputes),
        ("GET", "/v1/disputes/{id}", "dispute.retrieve",
         published.DisputeRetrieveParams, disputes.retrieve),
        ("GET", "/v1/radar/early_fraud_warnings", "early_fraud_warning.list",
         radar.EarlyFraudWarningListParams, lists.early_fraud_warnings),
        ("GET", "/v1/radar/early_fraud_warnings/{id}", "early_fraud_warning.retrieve",
         radar.EarlyFraudWarningRetrieveParams, fraud_warnings.retrieve),
        ("GET", "/v1/events", "event.list",
         published.EventListParams, lists.events),
        ("GET", "/v1/events/{id}", "event.retrieve",
         published.EventRetrieveParams, lists.event),
        ("GET", "/v2/core/events/{id}", "thin_event.retrieve",
         core.EventRetrieveParams, thin_events.retrieve),
        ("GET", "/v1/account", "account.retrieve",
         published.AccountRetrieveCurrentParams, lists.account),
        ("POST", "/v1/webhook_endpoints", "webhook_endpoint.create",
         published.WebhookEndpointCreateParams, webhook_endpoints.create),
        ("GET", "/v1/webhook_endpoints", "webhook_endpoint.list",
         published.WebhookEndpointListParams, lists.webhook_endpoints),
        ("GET", "/v1/webhook_endpoints/{id}", "webhook_endpoint.retrieve",
         published.WebhookEndpointRetrieveParams, webhook_endpoints.retrieve),
        ("POST", "/v1/webhook_endpoints/{id}", "webhook_endpoint.update",
         published.WebhookEndpointUpdateParams, webhook_endpoints.update),
        ("DELETE", "/v1/webhook_endpoints/{id}", "webhook_endpoint.delete",
         published.WebhookEndpointDeleteParams, webhook_endpoints.delete),
    )
)  # fmt: skip
