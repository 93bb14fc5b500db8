"""The run's processes and links, as tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BROKERS: Final = ("kafka-1", "kafka-2", "kafka-3")
STREAMS: Final = ("stream-1", "stream-2", "stream-3")
WORKERS: Final = ("worker-1", "worker-2")
INGRESSES: Final = ("ingress-1", "ingress-2")
POSTGRES: Final = "postgres"
SIMULATOR: Final = "simulator"
TOXIPROXY: Final = "toxiproxy"
#: The gateway, which runs in this process.
GATEWAY: Final = "gateway"

#: The service's programs in groups; each group has its own links to the brokers and Postgres.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "ingress": INGRESSES,
    # a single worker, which can be cut off while the others go on
    "first": STREAMS[:1],
    "stream": STREAMS[1:],
    "worker": WORKERS,
}
PROGRAMS: Final = tuple(name for names in GROUPS.values() for name in names)
#: The only link to the provider.
PROVIDER: Final = "worker-simulator"


@dataclass(frozen=True, slots=True)
class Link:
    """A link: its name and its target program."""

    name: str
    target: str


LINKS: Final = (
    *(Link(f"client-{ingress}", ingress) for ingress in INGRESSES),
    *(Link(f"webhooks-{ingress}", ingress) for ingress in INGRESSES),
    *(Link(f"{group}-{broker}", broker) for group in GROUPS for broker in BROKERS),
    *(Link(f"{group}-{POSTGRES}", POSTGRES) for group in GROUPS),
    Link(PROVIDER, SIMULATOR),
)
