"""The stream, the worker, and what operators run: three programs that do not know each other."""
