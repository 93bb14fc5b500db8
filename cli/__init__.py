"""The command line, ``payments``: the programs and the operators' commands."""
