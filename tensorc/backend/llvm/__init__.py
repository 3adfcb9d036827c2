"""The CPU: LLVM text and object code."""
