"""A shop's backend that is paid through the service, and never twice for one order."""
