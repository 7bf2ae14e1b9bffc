"""Diffusion transformers of the host: where their sequences hold a picture, and what may be said in their attention.

Everything goes through what the host offers for it: a wrapper around a model call (APPLY_MODEL), the override of
attention (``optimized_attention_override``), which lies in the options of that one call, and patches of blocks. Nothing
of the host is replaced.
"""

from .calls import HAS_OVERRIDE, ModelCall, around_model_calls
from .kinds import KNOWN, transformer_of
from .override import Ask, with_attention
from .pictures import Picture, Transformer

__all__ = [
    "HAS_OVERRIDE",
    "KNOWN",
    "Ask",
    "ModelCall",
    "Picture",
    "Transformer",
    "around_model_calls",
    "transformer_of",
    "with_attention",
]
