"""Bugs that payment services had, planted one at a time: what does not find them is no test."""
