"""From a recorded history to a verdict."""
