"""Small pictures of what options do, for the help pages: which there are (table.py and its subjects), how they are run
on a host (runs.py), drawn (sheet.py) and put into pages (pages.py)."""
