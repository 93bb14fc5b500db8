"""What tests of more than one folder share: builders, fakes, workers, databases."""
