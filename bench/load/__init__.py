"""The work that is put in, and what it leaves behind."""
