"""Front ends: what users write becomes IR of the TENSOR level."""
