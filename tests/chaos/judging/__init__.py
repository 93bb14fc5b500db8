"""Checks a recorded history."""
