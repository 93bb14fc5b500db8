"""The running service with several accounts and a Connect platform at one simulator."""
