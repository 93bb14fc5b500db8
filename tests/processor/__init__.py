"""The processor's shell, held to what it promises: one file of tests per module."""
