"""The background program: provider calls, router, reconciler, retention."""
