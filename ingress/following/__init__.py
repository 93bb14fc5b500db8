"""What an ingress process knows by following topics: accepted commands, and what became of them."""
