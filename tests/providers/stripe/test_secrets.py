"""Client secrets: read when somebody asks, and cut out of everything that is kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ports.provider import ProviderUnavailableError
from providers.stripe.client_secrets import StripeClientSecrets
from providers.stripe.secrets_in_bodies import without_client_secrets
from schemas.settings import StripeReadSettings
from tests.conformance.kit.http_stub import http_stub
from tests.providers.stripe.builders import api_of, event, intent, over_http, reader, signed
from tests.simulator.harness import API_KEY, READ_API_KEY, Simulator

pytestmark = [pytest.mark.anyio, over_http]

SECRET: Final = "pi_1_secret_7f"  # noqa: S105  # a test value


@asynccontextmanager
async def secrets_of(
    address: str, key: str = READ_API_KEY, **settings: Any
) -> AsyncIterator[StripeClientSecrets]:
    """Yields a reader of the API at this address."""
    made = StripeClientSecrets(StripeReadSettings(**settings), key, address)
    try:
        yield made
    finally:
        await made.close()


async def test_the_restricted_key_reads_the_secret(provider: Simulator) -> None:
    """It is that of the payment intent, as its creator sees it."""
    waiting = provider.pay("pm_card_authenticationRequired")
    assert waiting.client_secret is not None
    async with secrets_of(provider.base_url) as secrets:
        assert await secrets.client_secret(waiting.id) == waiting.client_secret


@pytest.mark.parametrize(
    ("object_id", "key"), [("pi_none", READ_API_KEY), ("pi_none", API_KEY), ("pi_none", "rk_other")]
)
async def test_a_refusal_says_only_what_it_is(
    provider: Simulator, object_id: str, key: str
) -> None:
    """The reason has no key and no secret."""
    async with secrets_of(provider.base_url, key) as secrets:
        with pytest.raises(ProviderUnavailableError) as refused:
            await secrets.client_secret(object_id)
    assert key not in str(refused.value)


async def test_a_silent_provider_is_given_up_at_the_deadline() -> None:
    """Also by those that wait for one of few places."""
    settings: Any = {"stripe_read_timeout_s": 0.5, "stripe_read_concurrency": 2}
    async with http_stub() as silent, secrets_of(silent.address, **settings) as secrets:
        began = asyncio.get_running_loop().time()
        asked = [secrets.client_secret("pi_1") for _ in range(6)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        took_s = asyncio.get_running_loop().time() - began
    assert {type(answer) for answer in answers} == {ProviderUnavailableError}
    assert took_s < 5


async def test_no_more_are_read_at_a_time_than_allowed() -> None:
    """The others wait for their turn."""
    under_way = most = 0

    async def answer(reader_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        await reader_.readuntil(b"\r\n\r\n")
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        body = json.dumps({"object": "payment_intent", "client_secret": SECRET}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with secrets_of(address, stripe_read_concurrency=2) as secrets:
        asked = [secrets.client_secret("pi_1") for _ in range(6)]
        assert await asyncio.gather(*asked) == [SECRET] * 6
    assert most == 2
    server.close()


@pytest.mark.parametrize("body", ["nonsense", "[]", "{}", '{"object": "x", "client_secret": 7}'])
async def test_a_response_without_a_secret_gives_none_or_fails(body: str) -> None:
    """Never something else as a secret."""
    async with http_stub() as stub, secrets_of(stub.address) as secrets:
        stub.response = ("200 OK", body.encode())
        try:
            found = await secrets.client_secret("pi_1")
        except ProviderUnavailableError:
            found = None
    assert found is None


def test_a_webhooks_secret_is_cut_out_and_nothing_else() -> None:
    """The signature is that of the whole body; what is kept differs in the secret alone."""
    body = event("payment_intent.created", intent(client_secret=SECRET))
    assert reader().verify(body, signed(body)).object_id == "pi_1"
    kept = reader().without_secrets(body)
    assert SECRET.encode() not in kept
    assert kept == body.replace(json.dumps(SECRET).encode(), b"null")


_SECRETS: Final = {
    "with blanks": (b'{"client_secret" :\n "x_secret_y"}', b'{"client_secret" :\n null}'),
    "null": (b'{"client_secret": null}', b'{"client_secret": null}'),
    "nested": (b'{"a":[{"client_secret":"x"}]}', b'{"a":[{"client_secret":null}]}'),
    "twice": (
        b'{"client_secret":"x","b":{"client_secret":"y"}}',
        b'{"client_secret":null,"b":{"client_secret":null}}',
    ),
    "with escapes": (b'{"client_secret":"a\\"b\\\\"}', b'{"client_secret":null}'),
    "cut off": (b'{"client_secret":"abc', b'{"client_secret":null'),
    "cut off in an escape": (b'{"client_secret":"abc\\', b'{"client_secret":null'),
    "as a text": (b'{"a":"client_secret"}', b'{"a":"client_secret"}'),
    "inside a text": (
        b'{"a":"\\"client_secret\\": \\"x\\""}', b'{"a":"\\"client_secret\\": \\"x\\""}',
    ),
    "at the end of another name": (
        b'{"a\\"client_secret":"x"}', b'{"a\\"client_secret":"x"}',
    ),
    "no JSON": (b"\xff\x00 client_secret", b"\xff\x00 client_secret"),
}  # fmt: skip


@pytest.mark.parametrize("name", _SECRETS)
def test_every_other_byte_stays(name: str) -> None:
    """Only the member's own text is replaced, wherever it is."""
    body, kept = _SECRETS[name]
    assert without_client_secrets(body) == kept


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["client_secret", "a", '"', "\\"]), inner, max_size=3)
    ),
    max_leaves=12,
)


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: None if name == "client_secret" and isinstance(part, str) else _without(part)
            for name, part in value.items()
        }
    return [_without(each) for each in value] if isinstance(value, list) else value


@given(_JSON, st.booleans())
def test_any_json_is_the_same_but_for_its_secrets(value: Any, ascii_only: bool) -> None:  # noqa: FBT001
    """It is still JSON, and every other value is what it was."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert json.loads(without_client_secrets(body)) == _without(value)


async def test_fetched_events_and_objects_have_no_secret(provider: Simulator) -> None:
    """The reconciler publishes them, and they are kept like webhooks."""
    waiting = provider.pay("pm_card_authenticationRequired")
    assert waiting.client_secret is not None
    async with api_of(provider.base_url) as api:
        fetched = [await api.retrieve(waiting.id)]
        async for page in api.events_after(None):
            fetched += page
    assert len(fetched) > 1
    for each in fetched:
        assert b'"client_secret":null' in each.body
        assert waiting.client_secret.encode() not in each.body
