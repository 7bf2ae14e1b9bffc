"""What happens between a sampler's call and the model's: no widget, no file, no question of what kind a space is.

`doors.py` is where users come in, `sampler.py` decorates the host's sampler, `run.py` is the run, `walks` the ways
through it, `denoiser.py` what answers the sampler, `chunks` the way to the model. Objects of the host are `Any`;
``host/objects.py`` gives them names.
"""
