"""A small world of objects, materials and landscapes, and the small model that is trained on it.

``make.py`` is the way in. ``words.py`` captions, ``materials.py`` and ``shapes.py`` what there is, ``scenes.py`` one
picture of it, ``pictures.py`` many of them on disk; ``training.py`` the loop that the model, the ControlNet and the
LoRA share (``jobs.py``), ``probe.py``, ``figures.py`` and ``sheets.py`` how good they are.
"""
