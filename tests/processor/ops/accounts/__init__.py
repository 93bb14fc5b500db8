"""The commands of provider accounts."""
