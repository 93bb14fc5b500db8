"""Requests, bodies, connections and problems, whatever they are about."""
