"""The domain's specification: what a payment does with any input, in any order."""
