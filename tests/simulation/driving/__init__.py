"""What makes things happen: clients, webhooks on their way, faults."""
