"""The `.tc` language: `reading` makes a file's text a program, through the rooms."""
