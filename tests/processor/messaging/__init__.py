"""Records, batches and topics on a real broker."""
