"""What a test or a person switches and looks at."""
