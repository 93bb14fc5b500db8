"""How facts combine."""
