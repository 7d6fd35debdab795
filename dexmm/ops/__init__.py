"""What people operate with: looking, checking, explaining, resuming."""
