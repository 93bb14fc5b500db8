"""``python -m bench.in_use.unchecked_ingress``: the ingress that takes IDs without their checks.

The IDs of copies in the filled store have none that belong to their tenants. Nothing else differs.
"""

import sys

from ingress.serve import serve
from runtime import logs
from schemas import identity


def belongs_to(tenant: str, identifier: str) -> bool:  # noqa: ARG001  # as the one it replaces
    """Only the stored row says whose a payment is, as it always does."""
    return True


if __name__ == "__main__":
    logs.configure()
    identity.belongs_to = belongs_to
    sys.exit(serve())
