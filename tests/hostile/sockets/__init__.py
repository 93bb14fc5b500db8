"""Raw sockets against the ingress's protocol: framings, slow clients, crowds, floods."""
