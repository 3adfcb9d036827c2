"""The functions of all doors, and what they are made of."""
