"""The domain's specification: what a payment does with whatever it is told, in whatever order."""
