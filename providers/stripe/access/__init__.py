"""Access to Stripe's API: keys, and how often it may be asked."""
