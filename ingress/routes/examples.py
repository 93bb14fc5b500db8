"""The examples in the OpenAPI document: one payment's course, as a client sends and gets it.

Answers are built from the models, so one of another form fails when the program starts.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from domain.call_key import CallKey, Operation
from domain.status import OperationStatus, Outcome, RefundStatus, RejectionCode, Status
from ingress import command_builders
from ingress.command_builders import PaymentOperation
from ingress.routes import cursors
from postgres.payment_list import PageCursor
from schemas import answers, headers, http, identity, operations
from schemas.model import Model
from schemas.state import Amounts, RefundState
from schemas.topics import PAYMENT_COMMANDS, PAYMENT_OPERATIONS, PAYMENT_STATE, PROVIDER_WEBHOOKS

TENANT: Final = "demo"
KEY: Final = "order-1001"
PAYMENT_ID: Final = identity.payment_id(TENANT, KEY)
_CURSOR: Final = cursors.encode(PageCursor(datetime(2026, 3, 1, 12, tzinfo=UTC), PAYMENT_ID))

CREATE: Final[Mapping[str, Any]] = {
    "amount": 1999,
    "currency": "EUR",
    "payment_method": "pm_card_visa",
    "max_attempts": 3,
    "order_reference": "A-1001",
    "metadata": {"channel": "web"},
}
CONFIRM: Final[Mapping[str, Any]] = {"payment_method": "pm_card_mastercard"}
CAPTURE: Final[Mapping[str, Any]] = {"amount": 1500}
CANCEL: Final[Mapping[str, Any]] = {}
REFUND: Final[Mapping[str, Any]] = {"amount": 500, "reason": "requested_by_customer"}
_RESERVED: Final = {**CREATE, "capture_method": "manual"}
_ONCE: Final = {**CREATE, "max_attempts": 1}
#: By method and path: the examples by name, each with what it shows. Each of them ends well.
REQUESTS: Final[Mapping[tuple[str, str], Mapping[str, tuple[str, Mapping[str, Any]]]]] = {
    ("post", "/v1/payments"): {
        "at_once": ("Take the money at once", CREATE),
        "reserved": ("Only reserve it; a capture takes it", _RESERVED),
        "one_attempt": ("Let the first decline end it, as without max_attempts", _ONCE),
    },
    ("post", "/v1/payments/{id}/confirm"): {
        "another_card": ("Try another card after a decline", CONFIRM)
    },
    ("post", "/v1/payments/{id}/capture"): {
        "part": ("Take a part; the rest is released", CAPTURE),
        "all": ("Take all that is authorized", {"amount": "all"}),
    },
    ("post", "/v1/payments/{id}/cancel"): {"cancel": ("Cancel it", CANCEL)},
    ("post", "/v1/payments/{id}/refunds"): {
        "part": ("Give back a part", REFUND),
        "all": ("Give back all that is left", {"amount": "all"}),
    },
}
PROVIDER_EVENT: Final[Mapping[str, Any]] = {
    "id": "evt_3QxYz2eZvKYlo2C1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "created": 1772366403,
    "livemode": False,
    "data": {"object": {"id": "pi_3QxYz2eZvKYlo2C1", "object": "payment_intent"}},
}
_METRICS: Final = """\
# HELP payments_ingress_requests_total Requests.
# TYPE payments_ingress_requests_total counter
payments_ingress_requests_total{method="POST",route="/v1/payments",status="202"} 1.0
"""

_OBJECT: Final = "pi_3QxYz2eZvKYlo2C1"
_AT: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_EXPIRES: Final = _AT + timedelta(days=1)
_REFUND_ID: Final = identity.refund_id(PAYMENT_ID, KEY)


def _plain(model: Model) -> dict[str, Any]:
    return model.model_dump(mode="json")


def _created() -> answers.AcceptedPayment:
    body = http.CreateRequest.model_validate(CREATE)
    operation = command_builders.identify_create(TENANT, KEY, body)
    command = command_builders.create(
        operation, body, _AT, provider="stripe", expiry=_EXPIRES - _AT
    )
    return command_builders.accepted_payment(command)


def _accepted(name: PaymentOperation, sent: Mapping[str, Any]) -> answers.AcceptedOperation:
    model, build = _BUILDERS[name]
    body = model.model_validate(sent)
    operation = command_builders.identify(TENANT, PAYMENT_ID, name, KEY, body)
    return command_builders.accepted_operation(build(operation, body, _AT))


_BUILDERS: Final[Mapping[PaymentOperation, tuple[type[Model], Callable[..., Any]]]] = {
    "confirm": (http.ConfirmRequest, command_builders.confirm),
    "capture": (http.CaptureRequest, command_builders.capture),
    "cancel": (http.CancelRequest, command_builders.cancel),
    "refund": (http.RefundRequest, partial(command_builders.refund, refund_id=_REFUND_ID)),
}


def _payment() -> http.Payment:
    """The payment after it was refunded in part."""
    refund = RefundState(
        id=_REFUND_ID,
        status=RefundStatus.SUCCEEDED,
        amount=500,
        reason="requested_by_customer",
        failure=None,
        reversed=False,
    )
    return http.Payment(
        id=PAYMENT_ID,
        tenant=TENANT,
        version=4,
        status=Status.SUCCEEDED,
        amount=1999,
        currency="EUR",
        capture_method="automatic",
        amounts=Amounts(authorized=1999, captured=1999, refunded=500),
        attempts=1,
        max_attempts=3,
        next_action=None,
        failure=None,
        cancel_requested=False,
        provider="stripe",
        provider_object_id=_OBJECT,
        description=None,
        order_reference="A-1001",
        metadata={"channel": "web"},
        refunds=(refund,),
        disputes=(),
        expires_at=_EXPIRES,
        created_at=_AT,
        updated_at=_AT + timedelta(minutes=5),
        quarantined=False,
    )


def _entry(event_id: str, kind: str, reason: str, **more: Any) -> http.TimelineEntry:
    """An input that made a version and changed the status."""
    second = timedelta(seconds=more["version"])
    return http.TimelineEntry(
        event_id=event_id,
        kind=kind,
        outcome=Outcome.APPLIED,
        reason=reason,
        partition=0,
        offset=17,
        received_at=_AT + second,
        recorded_at=_AT + second,
        **more,
    )


def _timeline() -> http.Timeline:
    """Its first inputs, and its first call."""
    first = http.TransitionEntry(source=None, target=Status.CREATED)
    paid = http.TransitionEntry(source=Status.CREATED, target=Status.SUCCEEDED)
    call = http.CallEntry(
        operation=Operation.CREATE,
        key=str(CallKey.create(PAYMENT_ID)),
        state="done",
        attempts=1,
        outcome=f"acknowledged: {_OBJECT}",
        last_error=None,
        next_attempt_at=None,
        created_at=_AT,
        done_at=_AT + timedelta(seconds=3),
    )
    created = _entry(
        _created().event_id,
        "command.create",
        "payment of 19.99 EUR accepted",
        transition=first,
        version=1,
        topic=PAYMENT_COMMANDS,
    )
    succeeded = _entry(
        "evt_3QxYz2eZvKYlo2C1",
        "stripe.payment_intent.succeeded",
        "the provider reports succeeded",
        transition=paid,
        version=2,
        topic=PROVIDER_WEBHOOKS,
    )
    return http.Timeline(
        payment_id=PAYMENT_ID,
        status=Status.SUCCEEDED,
        version=4,
        quarantined=False,
        quarantine=None,
        entries=(created, succeeded),
        calls=(call,),
        next_cursor=None,
    )


def _operation_states() -> tuple[operations.Operation, ...]:
    """A create that was applied, and a capture that came too late."""
    of = operations.Operation(
        id=identity.public_operation_id(PAYMENT_ID, _created().event_id),
        payment_id=PAYMENT_ID,
        tenant=TENANT,
        type="create",
        status=OperationStatus.APPLIED,
        code=None,
        reason="payment of 19.99 EUR accepted",
        version=1,
        refund_id=None,
        received_at=_AT,
        updated_at=_AT + timedelta(seconds=1),
    )
    again = command_builders.identify(
        TENANT, PAYMENT_ID, "capture", KEY, http.CaptureRequest.model_validate(CAPTURE)
    )
    rejected = of.model_copy(
        update={
            "id": identity.public_operation_id(PAYMENT_ID, again.event_id),
            "type": "capture",
            "status": OperationStatus.REJECTED,
            "code": RejectionCode.WRONG_STATUS,
            "reason": "capture needs a payment in AUTHORIZED; it is SUCCEEDED",
            "version": 4,
        }
    )
    return of, rejected


def messages() -> Mapping[str, list[dict[str, Any]]]:
    """Returns examples of the topics' messages, by topic."""
    payment = _payment()
    published = _plain(payment)
    del published["quarantined"]  # a header says it
    state = headers.as_text(headers.cloud_event(payment.id, payment.version, payment.updated_at, 7))
    return {
        PAYMENT_STATE: [{"name": "refunded", "headers": state, "payload": published}],
        PAYMENT_OPERATIONS: [
            {
                "name": str(each.status),
                "headers": headers.as_text(
                    headers.operation_event(each.id, each.status, PAYMENT_ID, each.updated_at)
                ),
                "payload": _plain(each),
            }
            for each in _STATES
        ],
    }


_STATES: Final = _operation_states()
OPERATION_ID: Final = _STATES[-1].id


def _decided(name: PaymentOperation, sent: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an operation whose client waited until it was done."""
    answer = _accepted(name, sent)
    done = {
        "status": OperationStatus.DONE,
        "reason": "the provider has done it",
        "version": 4,
        "updated_at": _AT + timedelta(seconds=1),
    }
    operation = answer.operation.model_copy(update=done)
    return _plain(answer.model_copy(update={"operation": operation}))


def _decided_payment() -> dict[str, Any]:
    """The answer to a create whose client waited."""
    shown = {"status": Status.SUCCEEDED, "operation": _STATES[0], "payment": _payment()}
    return _plain(answers.DecidedPayment(**{**dict(_created()), **shown}))


_RECEIVED: Final = _plain(http.WebhookReceived())
_PAYMENT: Final = _plain(_payment())
#: By method, path and status.
ANSWERS: Final[Mapping[tuple[str, str, int], Any]] = {
    ("post", "/v1/payments", 200): _decided_payment(),
    ("post", "/v1/payments/{id}/confirm", 200): _decided("confirm", CONFIRM),
    ("post", "/v1/payments/{id}/capture", 200): _decided("capture", CAPTURE),
    ("post", "/v1/payments/{id}/cancel", 200): _decided("cancel", CANCEL),
    ("post", "/v1/payments/{id}/refunds", 200): _decided("refund", REFUND),
    ("post", "/v1/payments", 202): _plain(_created()),
    ("post", "/v1/payments/{id}/confirm", 202): _plain(_accepted("confirm", CONFIRM)),
    ("post", "/v1/payments/{id}/capture", 202): _plain(_accepted("capture", CAPTURE)),
    ("post", "/v1/payments/{id}/cancel", 202): _plain(_accepted("cancel", CANCEL)),
    ("post", "/v1/payments/{id}/refunds", 202): _plain(_accepted("refund", REFUND)),
    ("get", "/v1/operations/{id}", 200): _plain(_STATES[-1]),
    ("get", "/v1/payments", 200): {"data": [_PAYMENT], "next_cursor": _CURSOR},
    ("get", "/v1/payments/{id}", 200): _PAYMENT,
    ("get", "/v1/payments/{id}/timeline", 200): _plain(_timeline()),
    ("get", "/v1/payments/{id}/client-secret", 200): {"client_secret": f"{_OBJECT}_secret_8sLqT"},
    ("post", "/webhooks/{provider}", 200): _RECEIVED,
    ("post", "/webhooks/{provider}/{account}", 200): _RECEIVED,
    ("post", "/webhooks/{provider}/notices", 200): _RECEIVED,
    ("post", "/webhooks/{provider}/{account}/notices", 200): _RECEIVED,
    ("get", "/healthz", 200): {"status": "ok"},
    ("get", "/readyz", 200): {"status": "ok", "kafka": "ok", "postgres": "ok"},
    ("get", "/readyz", 503): {"status": "not ready", "kafka": "unavailable", "postgres": "ok"},
    ("get", "/metrics", 200): _METRICS,
}
