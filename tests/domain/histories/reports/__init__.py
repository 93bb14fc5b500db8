"""Histories about what a provider reports, and what it leaves out."""
