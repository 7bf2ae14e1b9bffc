"""Which views are evaluated at which step of a run."""
