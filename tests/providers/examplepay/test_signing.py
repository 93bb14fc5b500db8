"""Standard Webhooks signatures: the specification's own example, and what else a header may be."""

from datetime import UTC, datetime

import pytest

from ports.provider import MalformedWebhookError, SignatureError
from providers.examplepay.signing import key_of, verified_id
from sandbox.examplepay_simulator.webhook_delivery import signature_headers
from tests.conformance.kit.examplepay_adapter import ExamplePayAdapter

#: From the specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # a published example
BODY = b'{"test": 2432232314}'
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1_614_265_330
RIGHT = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
WRONG = "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo="
OTHER_VERSION = "v2,MzJsNDk4MzI0K2VvdSMjMTEjQEBAQDEyMzMzMzEyMwo="


def verified(signature: str, timestamp: str = str(AT), now: int = AT) -> str:
    """The ID of the example under another signature, or at another time."""
    headers = {
        "webhook-id": ID,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }
    return verified_id(BODY, headers, [key_of(SECRET)], 300, datetime.fromtimestamp(now, UTC))


def test_the_specifications_example_holds() -> None:
    """The key is what the secret's base64 stands for; the ID and the time are signed too."""
    assert verified(RIGHT) == ID


def test_the_simulator_signs_as_the_specification_says() -> None:
    """So that what holds for it holds for anybody who does."""
    assert signature_headers(ID, BODY, SECRET, AT)["webhook-signature"] == RIGHT


@pytest.mark.parametrize(
    "signatures",
    [f"{WRONG} {RIGHT}", f"{RIGHT} {WRONG}", f"{OTHER_VERSION} {RIGHT}", f" {RIGHT}  "],
)
def test_any_of_several_signatures_will_do(signatures: str) -> None:
    """While a secret is replaced, and while a new version of the scheme is introduced."""
    assert verified(signatures) == ID


@pytest.mark.parametrize(
    "signature",
    [
        *("", WRONG, OTHER_VERSION, RIGHT.removeprefix("v1,"), RIGHT.replace("v1,", "v2,")),
        *(RIGHT.replace(",", "="), RIGHT.rstrip("="), RIGHT.lower(), f"{RIGHT}x", "v1,", "v1,==="),
        RIGHT.replace(" ", "").replace("v1,", "v1, "),
    ],
)
def test_no_other_signature_will(signature: str) -> None:
    """Another version's, none, or one that is not exactly it."""
    with pytest.raises(SignatureError):
        verified(signature)


@pytest.mark.parametrize(("seconds", "holds"), [(300, True), (-300, True), (301, False)])
def test_the_time_counts_both_ways(seconds: int, *, holds: bool) -> None:
    """As old as the tolerance, or as far ahead; not a second more."""
    for now in (AT + seconds, AT - seconds):
        if holds:
            assert verified(RIGHT, now=now) == ID
        else:
            with pytest.raises(SignatureError, match="300 s"):
                verified(RIGHT, now=now)


@pytest.mark.parametrize(
    "timestamp",
    ["", "soon", f"{AT}.0", f" {AT}", f"+{AT}", f"-{AT}", "9" * 30, "\N{SUPERSCRIPT TWO}"],
)
def test_a_time_is_whole_seconds(timestamp: str) -> None:
    """Anything else is no time, and never another error."""
    with pytest.raises(SignatureError):
        verified(RIGHT, timestamp=timestamp)


@pytest.mark.parametrize("secret", ["whsec_abc", "whsec_????", "no secret at all!"])
def test_a_secret_is_base64(secret: str) -> None:
    """Anything else is refused at once, and not when the first webhook comes."""
    with pytest.raises(ValueError, match=r"base64|padding"):
        key_of(secret)


def test_the_signed_id_is_the_events() -> None:
    """A sender that signs one ID and sends another's event is not believed in either."""
    body = ExamplePayAdapter.payment_event(event_id="event-1")
    now = datetime.now(UTC)
    headers = signature_headers("event-2", body, SECRET, int(now.timestamp()))
    with pytest.raises(MalformedWebhookError, match="webhook-id"):
        ExamplePayAdapter.reader(SECRET).verify(body, headers)
