"""When the launches of a call began and ended, and what the machine can do at most."""
