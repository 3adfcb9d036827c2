"""The casebook of semantics: 120 nasty cases by number, and where each is tested."""
