"""Raw sockets against the protocol: framings, slow clients, floods, too many connections."""
