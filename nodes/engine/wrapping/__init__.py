"""VAEs whose pictures wrap: opposite edges meet, and spheres continue over their poles."""

from .vae import WrappedVAE

__all__ = ["WrappedVAE"]
