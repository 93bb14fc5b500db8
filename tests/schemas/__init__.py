"""What travels between programs, how everything is named, and how each program is set."""
