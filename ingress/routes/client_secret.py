"""Serves the secret with which a provider's SDK goes on: the ingress's only call to a provider.

It is asked for each time, and stands nowhere: no topic, table, log, trace or cache has it. (The
address of a redirect may have it in its query; the customer has to open that.)
"""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ingress import errors
from ingress.routes.current import READ_DEADLINE_S, undecided
from ingress.routes.dependencies import OwnedPayment, Tenant, context_of
from ingress.routes.openapi import problems
from ports.provider import ProviderUnavailableError
from postgres import reads
from schemas.http import ClientSecret

#: The actions that a customer can carry out with a client secret.
_BY_CUSTOMER: Final = frozenset({"provider_sdk", "redirect"})

router: Final = APIRouter(tags=["payments"])


@router.get(
    "/v1/payments/{id}/client-secret",
    summary="Read what the provider's SDK needs",
    response_model=ClientSecret,
    responses={
        200: {"description": "The secret."},
        **problems(
            errors.UnauthorizedError,
            errors.UnknownPaymentError,
            errors.NoClientSecretError,
            errors.ClientSecretsOffError,
            errors.DatabaseUnavailableError,
            errors.NotKnownYetError,
            errors.ProviderNotAnsweringError,
        ),
    },
)
async def get_client_secret(request: Request, tenant: Tenant, payment_id: OwnedPayment) -> Response:
    """Returns the secret with which the provider's SDK carries out the customer's action.

    Give it to the customer only, over TLS, and neither store nor log it.
    """
    context = context_of(request)
    waiting = await context.database.run(
        lambda connection: reads.waiting(connection, payment_id, tenant), READ_DEADLINE_S
    )
    if waiting is None:
        await undecided(context, tenant, payment_id)  # raises if there is no such payment
    if waiting is None or waiting.action not in _BY_CUSTOMER or waiting.object_id is None:
        raise errors.NoClientSecretError("The payment does not wait for its customer.")
    reader = context.client_secrets.get(waiting.provider)
    if reader is None:
        raise errors.ClientSecretsOffError(
            "This service has no key with which to read client secrets. Ask its operator."
        )
    try:
        secret = await reader.client_secret(waiting.object_id)
    except ProviderUnavailableError as error:
        raise errors.ProviderNotAnsweringError(str(error)) from error
    if secret is None:
        raise errors.NoClientSecretError("The payment's provider has no client secrets.")
    # like every response it may not be stored: the middleware says so
    body = ClientSecret(client_secret=secret).model_dump_json()
    return Response(body, media_type="application/json")
