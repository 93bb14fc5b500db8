"""Webhook delivery and signatures."""
