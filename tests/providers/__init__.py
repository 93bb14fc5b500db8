"""Each provider's adapter against the port: one folder per provider, as in ``providers``."""
