"""The outside of the service: customers, banks and the provider."""
