"""Attacks over raw sockets: framings, slow clients, floods, too many connections."""
