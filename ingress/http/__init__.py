"""The HTTP server: connections, heads, bodies, problems. It knows nothing of payments."""
