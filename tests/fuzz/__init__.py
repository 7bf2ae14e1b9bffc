"""Files changed at random, and what readers do with them: an answer or one line of refusal, soon, in little memory.

`python -m fuzz --runs 10000 obj glb` in tests/ tries as many as asked for; `test_fuzz.py` some hundreds in the suite.
"""
