"""Requests, bodies, connections and problems, independent of the route."""
