"""The text of a `.tc` file and its syntax tree: scanner, grammar, parser, tree."""
