"""Back ends: from LOOP IR to text that a code generator reads."""
