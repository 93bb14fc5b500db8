"""ExamplePay has no client secrets: its customers visit a page."""

from providers.examplepay.translate import NAME


class ExamplePayClientSecrets:
    """A ``ClientSecretReader`` that asks nobody."""

    name = NAME

    async def client_secret(self, object_id: str) -> str | None:
        """See ``ClientSecretReader.client_secret``."""
        del object_id
        return None

    async def close(self) -> None:
        """See ``ClientSecretReader.close``."""
