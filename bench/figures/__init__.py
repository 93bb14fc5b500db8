"""Figures as tables and drawings, and what they are held to."""
