"""What is outside of the service: clients, customers, the provider, outages."""
