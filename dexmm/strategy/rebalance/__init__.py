"""When ranges change, and whether a change is worth its gas."""
