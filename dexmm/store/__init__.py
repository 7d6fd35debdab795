"""What outlives a process: the journal, the intents, the HALT flag and the wallet's lease."""
