"""Tests of ports/: errors, and the records that cross the rooms."""
