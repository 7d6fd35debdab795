"""What an exchange can carry, found out without a network."""
