"""The producer that every program uses, on a real broker that pauses, dies and restarts."""
