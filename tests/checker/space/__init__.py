"""The states a history can lead to, and the steps between them."""
