"""What is known of kernels: maps, tiles, costs; read only."""
