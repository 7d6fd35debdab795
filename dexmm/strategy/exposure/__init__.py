"""What is held, what it is worth, and how far that may go."""
