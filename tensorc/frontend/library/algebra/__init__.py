"""Products, matrices and statistics, for all doors."""
