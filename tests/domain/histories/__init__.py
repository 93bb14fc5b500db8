"""Histories of payments as tables, and their replay."""
