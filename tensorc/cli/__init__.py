"""The command line: one module per verb, and one wrapper that maps errors to codes."""
