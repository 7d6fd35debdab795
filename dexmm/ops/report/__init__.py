"""Reports: a track as one self-contained page, as plain facts, and as verdicts."""
