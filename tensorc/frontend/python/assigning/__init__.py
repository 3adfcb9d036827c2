"""Assignment in a trace: to what it made, and to arrays that NumPy made in it."""
