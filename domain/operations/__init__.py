"""The operations that clients ask for, and what becomes of them."""
