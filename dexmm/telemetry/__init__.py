"""What a running loop tells machines: metrics."""
