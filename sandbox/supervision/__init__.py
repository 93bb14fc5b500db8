"""Starts and watches child processes, and leaves none running."""
