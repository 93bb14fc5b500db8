"""Idempotency keys with Stripe's behaviour.

The first response after execution began is stored for a day, 500s included, and replayed. A key
that is in use, or was used for another request, is refused. After a day the key expires and may be
used for a new request.
Source: https://docs.stripe.com/api/idempotent_requests
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from sandbox.stripe_simulator.clock import Clock
from sandbox.stripe_simulator.errors import IdempotencyError
from sandbox.stripe_simulator.storage.store import Store, encode
from sandbox.stripe_simulator.storage.types import JsonObject

KEY_LENGTH_MAX = 255


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A stored response."""

    status: int
    body: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Use:
    """A key's use by a request to execute; ``generation`` counts how often the key was new."""

    key: str
    generation: int
    path: str
    fingerprint: str


class IdempotencyKeys:
    """The keys of one account."""

    def __init__(self, store: Store, clock: Clock, age_s: float) -> None:
        self._store = store
        self._clock = clock
        self._age_s = age_s
        self._in_use: dict[str, Use] = {}

    def look_up(self, key: str, path: str, parameters: JsonObject) -> StoredResponse | Use:
        """The response stored under a key, or permission to execute.

        Raises:
            IdempotencyError: the key is too long, was used for another request, or is in use.
        """
        if len(key) > KEY_LENGTH_MAX:
            raise IdempotencyError(
                f"Idempotency keys can be at most {KEY_LENGTH_MAX} characters long."
            )
        fingerprint = sha256(encode(_sorted(parameters)).encode()).hexdigest()
        row = self._store.row(
            "select generation, path, fingerprint, first_used, status, body, request_id"
            " from idempotency_keys where key = ?",
            (key,),
        )
        generation = 1
        if row is not None and self._clock.now() - row[3] >= self._age_s:
            generation = row[0] + 1
            row = None
        use = Use(key, generation, path, fingerprint)
        running = self._in_use.get(key)
        if running is not None:
            _compare(use, running.path, running.fingerprint)
            raise IdempotencyError(
                "There is currently another in-progress request using this idempotency key"
                f" ({key}). Please try again later.",
                status=409,
                code="idempotency_key_in_use",
            )
        if row is None:
            return use
        _compare(use, row[1], row[2])
        return StoredResponse(row[4], row[5], row[6])

    @contextmanager
    def in_use(self, use: Use | None) -> Iterator[None]:
        """Reserve the key while its request executes."""
        if use is None:
            yield
            return
        self._in_use[use.key] = use
        try:
            yield
        finally:
            del self._in_use[use.key]

    def keep(self, use: Use, status: int, body: str, request_id: str) -> None:
        """Store the response under the key."""
        self._store.run(
            "replace into idempotency_keys (key, generation, path, fingerprint, first_used, status,"
            " request_id, body) values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                use.key,
                use.generation,
                use.path,
                use.fingerprint,
                self._clock.now(),
                status,
                request_id,
                body,
            ),
        )


def _compare(use: Use, path: str, fingerprint: str) -> None:
    if use.path != path:
        raise IdempotencyError(
            "Keys for idempotent requests can only be used for the same endpoint they were first"
            f" used for ('{use.path}' vs '{path}'). Try using a key other than '{use.key}' if you"
            " meant to execute a different request."
        )
    if use.fingerprint != fingerprint:
        raise IdempotencyError(
            "Keys for idempotent requests can only be used with the same parameters they were first"
            f" used with. Try using a key other than '{use.key}' if you meant to execute a"
            " different request."
        )


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value
