"""The search for settings, scored on history that it never saw."""
