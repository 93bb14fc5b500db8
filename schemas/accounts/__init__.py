"""Provider accounts from a file: what it says of them, and where their secrets stand."""
