"""Names and sizes of the layers in the small model files: those of the public file formats.

Each function yields (name, shape) in the order of the file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

Shapes = Iterator[tuple[str, tuple[int, ...]]]

# What makes a host see Stable Diffusion 1.5. One resolution and three residual blocks instead of four and twenty-five.
CHANNELS, CONTEXT, TIME, LATENT = 320, 768, 1280, 4
GROUP = CHANNELS // 32  # a norm divides groups of so many channels by their own size
CLIP_LAYERS, CLIP_WORDS, CLIP_TOKENS = 12, 49408, 77


def conv(name: str, out: int, into: int, size: int = 3, bias: bool = True) -> Shapes:
    yield f"{name}.weight", (out, into, size, size)
    if bias:
        yield f"{name}.bias", (out,)


def linear(name: str, out: int, into: int, bias: bool = True) -> Shapes:
    yield f"{name}.weight", (out, into)
    if bias:
        yield f"{name}.bias", (out,)


def norm(name: str, size: int) -> Shapes:
    yield f"{name}.weight", (size,)
    yield f"{name}.bias", (size,)


def residual(name: str, into: int) -> Shapes:
    yield from norm(f"{name}.in_layers.0", into)
    yield from conv(f"{name}.in_layers.2", CHANNELS, into)
    yield from linear(f"{name}.emb_layers.1", CHANNELS, TIME)
    yield from norm(f"{name}.out_layers.0", CHANNELS)
    yield from conv(f"{name}.out_layers.3", CHANNELS, CHANNELS)
    if into != CHANNELS:
        yield from conv(f"{name}.skip_connection", CHANNELS, into, 1)


def attention(name: str) -> Shapes:
    """One spatial transformer of depth 1."""
    yield from norm(f"{name}.norm", CHANNELS)
    yield from conv(f"{name}.proj_in", CHANNELS, CHANNELS, 1)
    block = f"{name}.transformer_blocks.0"
    for attn, width in (("attn1", CHANNELS), ("attn2", CONTEXT)):
        yield from linear(f"{block}.{attn}.to_q", CHANNELS, CHANNELS, False)
        yield from linear(f"{block}.{attn}.to_k", CHANNELS, width, False)
        yield from linear(f"{block}.{attn}.to_v", CHANNELS, width, False)
        yield from linear(f"{block}.{attn}.to_out.0", CHANNELS, CHANNELS)
    yield from linear(f"{block}.ff.net.0.proj", 8 * CHANNELS, CHANNELS)
    yield from linear(f"{block}.ff.net.2", CHANNELS, 4 * CHANNELS)
    for part in ("norm1", "norm2", "norm3"):
        yield from norm(f"{block}.{part}", CHANNELS)
    yield from conv(f"{name}.proj_out", CHANNELS, CHANNELS, 1)


def encoder() -> Shapes:
    """The half that UNet and ControlNet share. Two residual blocks: a T2I-Adapter speaks up in the second."""
    yield from linear("time_embed.0", TIME, CHANNELS)
    yield from linear("time_embed.2", TIME, TIME)
    yield from conv("input_blocks.0.0", CHANNELS, LATENT)
    yield from residual("input_blocks.1.0", CHANNELS)
    yield from attention("input_blocks.1.1")
    yield from residual("input_blocks.2.0", CHANNELS)
    yield from residual("middle_block.0", CHANNELS)


def unet() -> Shapes:
    yield from encoder()
    for block in range(3):
        yield from residual(f"output_blocks.{block}.0", 2 * CHANNELS)
    yield from norm("out.0", CHANNELS)
    yield from conv("out.2", LATENT, CHANNELS)


def hint_block() -> Shapes:
    widths = (3, 16, 16, 32, 32, 96, 96, 256, CHANNELS)
    for i, (into, out) in enumerate(itertools.pairwise(widths)):
        yield from conv(f"input_hint_block.{2 * i}", out, into)


def controls() -> Shapes:
    for block in range(3):
        yield from conv(f"zero_convs.{block}.0", CHANNELS, CHANNELS, 1)
    yield from conv("middle_block_out.0", CHANNELS, CHANNELS, 1)


def tiny_vae() -> Shapes:
    """The tiny autoencoder's layout (TAESD), which hosts accept as the VAE of a checkpoint."""

    def block(name: str) -> Shapes:
        for layer in (0, 2, 4):
            yield from conv(f"{name}.conv.{layer}", 64, 64)

    yield from conv("taesd_encoder.0", 64, 3)
    yield from block("taesd_encoder.1")
    for down in (2, 6, 10):
        yield from conv(f"taesd_encoder.{down}", 64, 64, bias=False)
        for i in range(1, 4):
            yield from block(f"taesd_encoder.{down + i}")
    yield from conv("taesd_encoder.14", LATENT, 64)
    yield from conv("taesd_decoder.1", 64, LATENT)
    for up in (7, 12, 17):
        for i in range(3, 0, -1):
            yield from block(f"taesd_decoder.{up - 1 - i}")
        yield from conv(f"taesd_decoder.{up}", 64, 64, bias=False)
    yield from block("taesd_decoder.18")
    yield from conv("taesd_decoder.19", 3, 64)


def clip_layer(name: str) -> Shapes:
    for part in ("layer_norm1", "layer_norm2"):
        yield from norm(f"{name}.{part}", CONTEXT)
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        yield from linear(f"{name}.self_attn.{part}", CONTEXT, CONTEXT)
    yield from linear(f"{name}.mlp.fc1", 4 * CONTEXT, CONTEXT)
    yield from linear(f"{name}.mlp.fc2", CONTEXT, 4 * CONTEXT)


def adapter() -> Shapes:
    """T2I-Adapter, the light kind. Only its first scale meets this UNet; the others are there because hosts ask."""
    into = 3 * 64
    for scale, out in enumerate((320, 640, 1280, 1280)):
        inner = out // 4
        yield from conv(f"body.{scale}.in_conv", inner, into, 1)
        for block in range(4):
            yield from conv(f"body.{scale}.body.{block}.block1", inner, inner)
            yield from conv(f"body.{scale}.body.{block}.block2", inner, inner)
        yield from conv(f"body.{scale}.out_conv", out, inner, 1)
        into = out
