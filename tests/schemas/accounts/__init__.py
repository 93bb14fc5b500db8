"""The file of provider accounts, and references to secrets."""
