"""The one command line, `payments`: every program and every operator's command."""
