"""What is published of currencies, written down apart from the program."""
