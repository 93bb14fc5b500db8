"""Decodes consumed records and folds them over their payments, into a write set.

Pure. The stream and the rebuild share it.
"""
