"""Views as lines and numbers, drawn: what pictures of rigs and viewers share."""
