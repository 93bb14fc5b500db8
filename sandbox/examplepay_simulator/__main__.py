"""``python -m sandbox.examplepay_simulator``: serve until interrupted.

It reads the service's own settings: it serves at ExamplePay's configured API address, accepts the
configured API key, signs with the first of the secrets and sends webhooks to the ingress.
"""

import sys
from urllib.parse import urlsplit

import uvicorn

from sandbox.examplepay_simulator.app import create_app
from schemas.settings import ExamplePaySettings, IngressSettings, SettingsError, load


def main() -> int:
    """Read and check the settings, then serve; return the exit code."""
    try:
        settings, ingress = load(ExamplePaySettings), load(IngressSettings)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    address, key = settings.examplepay_api_base, settings.examplepay_api_key
    secrets = settings.examplepay_webhook_secrets
    merchant = settings.examplepay_account
    if address is None or key is None or secrets is None or merchant is None:
        print("PAYMENTS_EXAMPLEPAY_API_BASE and the others are not set", file=sys.stderr)
        return 2
    app = create_app(
        key.get_secret_value(),
        f"{ingress.ingress_url}/webhooks/examplepay",
        secrets[0].get_secret_value(),
        merchant,
        trial=not settings.examplepay_livemode,
    )
    where = urlsplit(address)
    uvicorn.run(
        app,
        host=where.hostname or "127.0.0.1",
        port=where.port or 80,
        log_level="warning",
        access_log=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
