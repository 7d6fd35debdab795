"""The state file of a paper exchange."""
