"""The stream: a batch and its order of effects, Faust, the table, readiness."""
