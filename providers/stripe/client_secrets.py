"""Asks Stripe for the client secret of a payment intent, with a key that can only read."""

import asyncio
from typing import Final

import stripe

from ports.provider import ProviderUnavailableError
from providers.stripe.webhooks import NAME
from schemas.settings import StripeReadSettings

_PATH: Final = "/v1/payment_intents/{}"


class StripeClientSecrets:
    """A ``ClientSecretReader``. It neither retries nor remembers anything."""

    def __init__(
        self,
        settings: StripeReadSettings,
        api_key: str,
        address: str,
        http: stripe.HTTPClient | None = None,
        *,
        name: str = NAME,
        connected: str | None = None,
    ) -> None:
        self.name = name
        self._deadline_s = settings.stripe_read_timeout_s
        self._slots = asyncio.Semaphore(settings.stripe_read_concurrency)
        self._http = http or stripe.HTTPXClient(timeout=self._deadline_s)
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": address},
            stripe_account=connected,
            max_network_retries=0,
            http_client=self._http,
        )

    async def client_secret(self, object_id: str) -> str | None:
        """See ``ClientSecretReader.client_secret``."""
        try:
            async with asyncio.timeout(self._deadline_s), self._slots:
                path = _PATH.format(object_id)
                response = await self._client.raw_request_async("get", path)
        except TimeoutError as error:
            raise ProviderUnavailableError(f"no response within {self._deadline_s} s") from error
        except stripe.StripeError as error:
            code = f"HTTP {error.http_status}, {error.code or 'no code'}"
            raise ProviderUnavailableError(f"{type(error).__name__} ({code})") from error
        except Exception as error:  # the package fails on responses in another form
            raise ProviderUnavailableError("an unreadable response") from error
        found = response.data.get("client_secret") if isinstance(response.data, dict) else None
        return found if isinstance(found, str) else None

    async def close(self) -> None:
        """See ``ClientSecretReader.close``."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # has no annotations
