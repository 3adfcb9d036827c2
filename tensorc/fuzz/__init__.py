"""Random programs that look for bugs of the compiler: `tensorc fuzz`.

- `program`: a program as data, and the function that it is
- `maker`, `recipes`, `generate`: random programs, typed by construction
- `survey`, `updates`: programs that come first, and leave less to chance
- `idioms`: spellings that rewrites look for, from their own tables
- `laws`: what a program must agree with itself in: twins, rows
- `values`: arguments that hurt, and arguments that do not
- `reference`, `outcomes`, `check`: what must agree with what
- `slopes`: derivatives against differences
- `reduce`, `case_file`: a failure made small, and kept as a test
- `session`: many programs, and what they covered
"""
