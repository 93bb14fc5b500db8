"""The drivers of a simulation: clients, webhook delivery, fault injection."""
