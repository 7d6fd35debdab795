"""Text on terminals, pipes and files, whatever their width."""
