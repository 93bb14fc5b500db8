"""Measures what a store in use costs: reads, audits, rebuilds, webhooks about old payments."""
