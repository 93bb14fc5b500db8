"""Standard Webhooks signatures: the specification's example and other headers."""

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
    """Verifies the example with this signature and these times; returns its ID."""
    headers = {
        "webhook-id": ID,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }
    return verified_id(BODY, headers, [key_of(SECRET)], 300, datetime.fromtimestamp(now, UTC))


def test_the_specifications_example_is_valid() -> None:
    """The key is the decoded base64 of the secret; the ID and the time are signed too."""
    assert verified(RIGHT) == ID


def test_the_simulator_signs_like_the_specification() -> None:
    """Its signature of the example is the specification's."""
    assert signature_headers(ID, BODY, SECRET, AT)["webhook-signature"] == RIGHT


@pytest.mark.parametrize(
    "signatures",
    [f"{WRONG} {RIGHT}", f"{RIGHT} {WRONG}", f"{OTHER_VERSION} {RIGHT}", f" {RIGHT}  "],
)
def test_one_valid_signature_among_several_is_enough(signatures: str) -> None:
    """Senders sign twice during a rotation of secrets or of the scheme's version."""
    assert verified(signatures) == ID


@pytest.mark.parametrize(
    "signature",
    [
        *("", WRONG, OTHER_VERSION, RIGHT.removeprefix("v1,"), RIGHT.replace("v1,", "v2,")),
        *(RIGHT.replace(",", "="), RIGHT.rstrip("="), RIGHT.lower(), f"{RIGHT}x", "v1,", "v1,==="),
        RIGHT.replace(" ", "").replace("v1,", "v1, "),
    ],
)
def test_any_other_signature_is_refused(signature: str) -> None:
    """Examples: another version's, none, or one with any difference."""
    with pytest.raises(SignatureError):
        verified(signature)


@pytest.mark.parametrize(("seconds", "is_valid"), [(300, True), (-300, True), (301, False)])
def test_the_tolerance_applies_to_the_past_and_the_future(seconds: int, *, is_valid: bool) -> None:
    """A webhook may be as old as the tolerance, or as far ahead, but not a second more."""
    for now in (AT + seconds, AT - seconds):
        if is_valid:
            assert verified(RIGHT, now=now) == ID
        else:
            with pytest.raises(SignatureError, match="300 s"):
                verified(RIGHT, now=now)


@pytest.mark.parametrize(
    "timestamp",
    ["", "soon", f"{AT}.0", f" {AT}", f"+{AT}", f"-{AT}", "9" * 30, "\N{SUPERSCRIPT TWO}"],
)
def test_an_invalid_timestamp_is_a_signature_error(timestamp: str) -> None:
    """A timestamp is whole seconds in ASCII digits."""
    with pytest.raises(SignatureError):
        verified(RIGHT, timestamp=timestamp)


@pytest.mark.parametrize("secret", ["whsec_abc", "whsec_????", "no secret at all!"])
def test_a_secret_must_be_base64(secret: str) -> None:
    """Anything else is refused at start-up, not at the first webhook."""
    with pytest.raises(ValueError, match=r"base64|padding"):
        key_of(secret)


def test_the_signed_id_must_be_the_events() -> None:
    """A webhook whose signed ID differs from its event's is malformed."""
    body = ExamplePayAdapter.payment_event(event_id="event-1")
    now = datetime.now(UTC)
    headers = signature_headers("event-2", body, SECRET, int(now.timestamp()))
    with pytest.raises(MalformedWebhookError, match="webhook-id"):
        ExamplePayAdapter.reader(SECRET).verify(body, headers)
