"""Histories of payments as tables, and what plays them."""
