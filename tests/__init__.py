"""The specification of the whole, part by part."""
