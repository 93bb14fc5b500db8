"""The background program: dispatcher, router, reconciler, retention, consumer lag."""
