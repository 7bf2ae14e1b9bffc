"""Drawn thumbnails (docs/make_diagrams.py): facts of a workflow, a pen, pictures, spaces, and parts that all have."""
