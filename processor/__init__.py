"""The stream processor: its domain is pure, all else carries facts to it and effects away."""
