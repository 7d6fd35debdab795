"""Settings: their types and defaults, where they come from, and the text that `dexmm init`
writes."""
