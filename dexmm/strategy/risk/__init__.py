"""What is never done, whatever the strategy wants."""
