"""What the ingress's documents are made of: bodies, problems, texts."""
