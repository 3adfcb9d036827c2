"""From TENSOR to STRUCTURED, and its groups."""
