"""Each endpoint, as a client or a provider meets it."""
