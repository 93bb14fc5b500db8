"""Parts of the programs, run step by step."""
