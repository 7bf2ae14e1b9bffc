"""The host's objects by name, for signatures. All are `Any`: releases give them other classes, other packs wrap them,
and none is declared where a checker could read it. The sentence says what is used of one."""

from __future__ import annotations

from typing import Any, TypeAlias

Model: TypeAlias = Any
"""A MODEL: clone(), model_options, model (a network), get_model_object(name)."""
Network: TypeAlias = Any
"""What a MODEL holds (BaseModel): model_sampling, process_latent_in/out, memory_required(shape)."""
Guider: TypeAlias = Any
"""Called (x, timestep, model_options=, seed=) -> the guided clean estimate; inner_model (a network), conds."""
Wrapper: TypeAlias = Any
"""What a sampler calls as model(x, sigma, ...), around a guider (inner_model): latent_image, noise."""
Sampling: TypeAlias = Any
"""A network's model_sampling: what a noise level means. noise_scaling, percent_to_sigma."""
Control: TypeAlias = Any
"""A CONTROL_NET in a conditioning: cond_hint_original, previous_controlnet, copy(), get_control."""
VAE: TypeAlias = Any
"""decode(latents) -> images [.., H, W, C], encode(images) -> latents; other packs' have no more than these."""
