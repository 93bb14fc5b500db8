"""Notices of further accounts from a file: their endpoints, secrets and adapters."""

import json

import pytest

from ports.notices import Gap
from ports.provider import SignatureError
from providers import registry
from providers.reloading import EVERY_S
from providers.stripe.notices.reading import NEVER_MADE
from schemas.environment import PREFIX
from tests.conformance.kit.http_stub import http_stub
from tests.providers.file_of_accounts import NEW, OLD, OWN_SHOP, SECOND, SHOP, File, all_clients
from tests.providers.stripe.builders import over_http, signed
from tests.providers.stripe.notices.test_reading import thin

pytestmark = [pytest.mark.anyio, over_http]


def test_secrets_of_notices_are_rotated_without_a_restart_and_without_a_gap(
    file: File, seconds: list[float]
) -> None:
    """As those of webhooks, and an account gets its endpoint so."""
    readers, body = registry.notice_readers(), thin()
    assert set(readers) == set()
    for names, valid in ((["old"], [OLD]), (["old", "new"], [OLD, NEW]), (["new"], [NEW])):
        secrets = [f"file:{{folder}}/{name}" for name in names]
        file.write({"second": {**SECOND, "notice_secrets": secrets}})
        seconds.append(seconds[-1] + EVERY_S)
        for secret in (OLD, NEW):
            if secret in valid:
                found = readers["second"].verify(body, signed(body, secret))
                assert found.event_id == "second:evt_65thin"
            else:
                with pytest.raises(SignatureError):
                    readers["second"].verify(body, signed(body, secret))
    (file.path.parent / "new").write_text(OLD)
    seconds.append(seconds[-1] + EVERY_S)
    assert readers["second"].verify(body, signed(body, OLD))


async def test_notices_are_read_and_followed_for_every_account(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform's are also about its connected accounts, whose objects are asked for as theirs."""
    file.write({"second": SECOND, "shop": SHOP, "own-shop": OWN_SHOP})
    translators = registry.notice_translators()
    assert set(translators) == {"stripe", "second"}
    for name, body, is_foreign in (
        ("second", thin(livemode=True, context="acct_3"), False),
        ("second", thin(livemode=True, context="acct_4"), True),
        ("second", thin(livemode=False), True),
        ("stripe", thin(context="acct_4"), False),
        ("stripe", thin(context="acct_3"), True),
        ("stripe", thin(livemode=True), True),
    ):
        assert translators[name].notice(body).is_foreign is is_foreign
    async with http_stub() as stub:
        monkeypatch.setenv(f"{PREFIX}STRIPE_API_BASE", stub.address)
        clients = all_clients()
        finders = registry.gap_finders(clients)
        assert set(finders) == set(clients)
        assert all(finder.name == name for name, finder in finders.items())
        impact = {
            "event_type": "refund.failed",
            "context": "acct_3",
            "related_object": {"id": "re_1", "type": "refund"},
        }
        content = {
            "id": "evt_1", "object": "v2.core.event", "type": NEVER_MADE, "livemode": True,
            "data": {"impact": impact},
        }  # fmt: skip
        stub.response = ("200 OK", json.dumps(content).encode())
        gap = await finders["second"].gap("second:evt_1", None)
        assert isinstance(gap, Gap)
        assert gap.provider == "shop"
        first, *_ = stub.head.splitlines()
        assert first.split()[1] == "/v2/core/events/evt_1"
        assert "stripe-account" not in stub.head.lower()
        refund = {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}
        stub.response = ("200 OK", json.dumps(refund).encode())
        assert await finders["shop"].payment_object(gap) == "pi_1"
        assert "stripe-account: acct_3" in stub.head.lower()
        for client in clients.values():
            await client.close()
