"""Bugs of what others read: documents, schemas, and the gate that keeps them."""
