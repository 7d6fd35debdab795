"""An exchange in memory, with fees, depth and latency."""
