"""Tables and charts of the figures, and the targets."""
