"""The `.tc` language: `parse` makes the syntax tree that `irgen` turns into IR."""
