"""HTTP as Stripe has it: forms, keys, lists, errors."""
