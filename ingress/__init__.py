"""The HTTP program: it authenticates, checks and publishes requests. It decides no payment."""
