"""Tests of the worker's router."""
