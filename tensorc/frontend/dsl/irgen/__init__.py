"""From the syntax tree to a `Program`, which makes IR on demand."""
