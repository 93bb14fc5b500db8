"""The producer that every program shares, against a real broker in every bad mood."""
