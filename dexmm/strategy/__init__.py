"""What to hold, and why not: pure verbs over the nouns of ``model``."""
