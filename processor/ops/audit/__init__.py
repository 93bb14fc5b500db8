"""``payments audit``: the invariants of a running system, some payments at a time."""
