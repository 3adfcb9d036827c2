"""The IR: values, ops, types, dimensions; printer, parser, verifier, interpreter."""
