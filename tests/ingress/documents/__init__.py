"""Tests of the documents that describe the API and the topics."""
