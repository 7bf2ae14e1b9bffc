"""How workflows are laid out by rule: boxes as front ends draw them, columns, groups, routes of links, what nodes say
of themselves. docs/make_layout.py applies it to the files."""
