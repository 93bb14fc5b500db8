"""Decoding and folding: from records to what is written."""
