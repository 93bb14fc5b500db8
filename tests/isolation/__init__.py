"""What keeps a test session apart from the machine it runs on, and from other sessions there."""
