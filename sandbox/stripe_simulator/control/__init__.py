"""The control API for tests and users: actions, faults and inspection."""
