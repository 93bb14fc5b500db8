"""What a consumer of each topic has to know, in words."""

from collections.abc import Mapping
from typing import Final

from schemas.topics import (
    DAY_MS,
    DEAD_LETTERS,
    PAYMENT_OPERATIONS,
    PAYMENT_STATE,
    TOPICS,
)

ABOUT: Final = """\
The topics that other services read.

**Read** with `isolation.level=read_committed`: otherwise records are read that never became true.

**What may change.** Fields, headers, and values where `x-open` is true may be added at any time: \
ignore what you do not know. Nothing is removed, renamed, or given another type or meaning. A form \
that would break consumers gets another `ce_type` and a topic of its own, and the old one goes on \
for at least twelve months.

The requests that clients make are described at [/openapi.json](/openapi.json).
"""

_CONFIG: Final = {topic.name: topic.config for topic in TOPICS}
_KEPT_H: Final = int(_CONFIG[PAYMENT_STATE]["min.compaction.lag.ms"]) // 3_600_000
_DEAD_DAYS: Final = int(_CONFIG[DEAD_LETTERS]["retention.ms"]) // DAY_MS

#: By topic, in the order in which they are shown.
RULES: Final[Mapping[str, str]] = {
    PAYMENT_STATE: f"""\
One version of a payment: the whole payment, with its refunds and disputes.

- Keep a record if its `version` is higher than the one that you have of this `id`. A record of \
the same version replaces it too, for the header `ce_quarantined`. Delivery is at least once, and \
after a crash an older version may follow a newer one.
- Versions of a payment are 1, 2, 3 and so on. Every version is published, with one exception: of \
a payment with more than 100 refunds and disputes, only the last one of a batch.
- The topic is compacted: the last record of each key stays for ever, and it is the highest \
version. A version that was replaced stays for {_KEPT_H} hours at least. So a new consumer reads \
the topic from its beginning and has every payment. There are no tombstones.
- Each version was committed in the database before it was published.
- `ce_quarantined: true` says that an event of the payment could not be processed. The same \
version comes again without it when that ends.
- No record is larger than 1 MiB.
""",
    PAYMENT_OPERATIONS: """\
One change of an operation, which is what one accepted request of a client asks for.

- Deduplicate by `id` and `status`, which `ce_id` has as `<id>:<status>`: each operation has each \
status at most once. Delivery is at least once.
- applied, then done or refused; or rejected, with a `code` for programs and a `reason` for \
people. done, refused and rejected are final. accepted is never published: only the answer to the \
request says it.
- A change is in the same Kafka transaction as the version that it led to on `payment-state`, and \
after it. `version` is the payment's version after the change. A rejected operation makes none.
- The topic is not compacted. Records are deleted after `PAYMENTS_LOG_RETENTION_S`, 90 days unless \
it is set otherwise. `GET /v1/operations/{id}` has each operation's last status.
""",
    DEAD_LETTERS: f"""\
A record that could not be read: its key, value and headers as they came, and why, in further \
headers. An operator sends it again when the reason is gone (`payments dead-letters`).

- Nothing that is here had any effect.
- Records are deleted after {_DEAD_DAYS} days. The topic is not compacted.
""",
}
