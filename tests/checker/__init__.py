"""A model checker over the pure core: all that can come, in every order, and what must hold."""
