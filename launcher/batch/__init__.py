"""`run.py batch`: many jobs from a table, on one worker or many; what is done stays done. Standard library only, but
for ``on_ray.py``, which needs Ray."""
