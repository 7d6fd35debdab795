"""Orders that happen once: stored, sent, looked up and reconciled."""
