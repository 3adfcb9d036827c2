"""Functions that order elements, search in their order, and what is made of it."""
