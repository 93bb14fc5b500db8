"""A model checker of the pure core: every input in every order, checked against the rules."""
