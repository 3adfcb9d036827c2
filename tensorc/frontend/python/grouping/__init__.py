"""What holds several variables: groups with operators, trees of lists and fields."""
