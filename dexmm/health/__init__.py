"""What to look at before and while money is at work: `dexmm doctor` and `dexmm status`."""
