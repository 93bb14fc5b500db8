"""HTTP itself: connections, heads, bodies, problems; nothing of payments."""
