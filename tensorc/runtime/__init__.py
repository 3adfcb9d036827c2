"""The runtime: memory, calls, data and training for compiled code; it knows no IR."""
