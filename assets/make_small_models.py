"""Write small model files with random weights, in the layouts in which users' model files come.

``python make_small_models.py FOLDER NAME ...`` writes the named files (see FILES) into FOLDER/checkpoints, /loras and
/controlnet, which a ComfyUI finds by their plain names. They stand in for a user's own models where a workflow or a
test must load real files and no download is wanted: any host takes them for Stable Diffusion 1.5 and its parts.
Weights are drawn from seeds, so every run writes the same numbers. The pictures they make are abstract.

Needs torch and safetensors only; the layer names are those of the public file formats.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

Weights = dict[str, Tensor]
Shapes = Iterator[tuple[str, tuple[int, ...]]]

# What makes a host see Stable Diffusion 1.5. One resolution and three residual blocks instead of four and twenty-five.
CHANNELS, CONTEXT, TIME, LATENT = 320, 768, 1280, 4
_GROUP = CHANNELS // 32  # a norm divides groups of so many channels by their own size
CLIP_LAYERS, CLIP_WORDS, CLIP_TOKENS = 12, 49408, 77


def _conv(name: str, out: int, into: int, size: int = 3, bias: bool = True) -> Shapes:
    yield f"{name}.weight", (out, into, size, size)
    if bias:
        yield f"{name}.bias", (out,)


def _linear(name: str, out: int, into: int, bias: bool = True) -> Shapes:
    yield f"{name}.weight", (out, into)
    if bias:
        yield f"{name}.bias", (out,)


def _norm(name: str, size: int) -> Shapes:
    yield f"{name}.weight", (size,)
    yield f"{name}.bias", (size,)


def _residual(name: str, into: int) -> Shapes:
    yield from _norm(f"{name}.in_layers.0", into)
    yield from _conv(f"{name}.in_layers.2", CHANNELS, into)
    yield from _linear(f"{name}.emb_layers.1", CHANNELS, TIME)
    yield from _norm(f"{name}.out_layers.0", CHANNELS)
    yield from _conv(f"{name}.out_layers.3", CHANNELS, CHANNELS)
    if into != CHANNELS:
        yield from _conv(f"{name}.skip_connection", CHANNELS, into, 1)


def _attention(name: str) -> Shapes:
    """One spatial transformer of depth 1."""
    yield from _norm(f"{name}.norm", CHANNELS)
    yield from _conv(f"{name}.proj_in", CHANNELS, CHANNELS, 1)
    block = f"{name}.transformer_blocks.0"
    for attn, width in (("attn1", CHANNELS), ("attn2", CONTEXT)):
        yield from _linear(f"{block}.{attn}.to_q", CHANNELS, CHANNELS, False)
        yield from _linear(f"{block}.{attn}.to_k", CHANNELS, width, False)
        yield from _linear(f"{block}.{attn}.to_v", CHANNELS, width, False)
        yield from _linear(f"{block}.{attn}.to_out.0", CHANNELS, CHANNELS)
    yield from _linear(f"{block}.ff.net.0.proj", 8 * CHANNELS, CHANNELS)
    yield from _linear(f"{block}.ff.net.2", CHANNELS, 4 * CHANNELS)
    for norm in ("norm1", "norm2", "norm3"):
        yield from _norm(f"{block}.{norm}", CHANNELS)
    yield from _conv(f"{name}.proj_out", CHANNELS, CHANNELS, 1)


def _encoder() -> Shapes:
    """The half that UNet and ControlNet share. Two residual blocks: a T2I-Adapter speaks up in the second."""
    yield from _linear("time_embed.0", TIME, CHANNELS)
    yield from _linear("time_embed.2", TIME, TIME)
    yield from _conv("input_blocks.0.0", CHANNELS, LATENT)
    yield from _residual("input_blocks.1.0", CHANNELS)
    yield from _attention("input_blocks.1.1")
    yield from _residual("input_blocks.2.0", CHANNELS)
    yield from _residual("middle_block.0", CHANNELS)


def _unet() -> Shapes:
    yield from _encoder()
    for block in range(3):
        yield from _residual(f"output_blocks.{block}.0", 2 * CHANNELS)
    yield from _norm("out.0", CHANNELS)
    yield from _conv("out.2", LATENT, CHANNELS)


def _hint_block() -> Shapes:
    widths = (3, 16, 16, 32, 32, 96, 96, 256, CHANNELS)
    for i, (into, out) in enumerate(itertools.pairwise(widths)):
        yield from _conv(f"input_hint_block.{2 * i}", out, into)


def _controls() -> Shapes:
    for block in range(3):
        yield from _conv(f"zero_convs.{block}.0", CHANNELS, CHANNELS, 1)
    yield from _conv("middle_block_out.0", CHANNELS, CHANNELS, 1)


def _tiny_vae() -> Shapes:
    """The tiny autoencoder's layout (TAESD), which hosts accept as the VAE of a checkpoint."""

    def block(name: str) -> Shapes:
        for layer in (0, 2, 4):
            yield from _conv(f"{name}.conv.{layer}", 64, 64)

    yield from _conv("taesd_encoder.0", 64, 3)
    yield from block("taesd_encoder.1")
    for down in (2, 6, 10):
        yield from _conv(f"taesd_encoder.{down}", 64, 64, bias=False)
        for i in range(1, 4):
            yield from block(f"taesd_encoder.{down + i}")
    yield from _conv("taesd_encoder.14", LATENT, 64)
    yield from _conv("taesd_decoder.1", 64, LATENT)
    for up in (7, 12, 17):
        for i in range(3, 0, -1):
            yield from block(f"taesd_decoder.{up - 1 - i}")
        yield from _conv(f"taesd_decoder.{up}", 64, 64, bias=False)
    yield from block("taesd_decoder.18")
    yield from _conv("taesd_decoder.19", 3, 64)


def _clip_layer(name: str) -> Shapes:
    for norm in ("layer_norm1", "layer_norm2"):
        yield from _norm(f"{name}.{norm}", CONTEXT)
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        yield from _linear(f"{name}.self_attn.{part}", CONTEXT, CONTEXT)
    yield from _linear(f"{name}.mlp.fc1", 4 * CONTEXT, CONTEXT)
    yield from _linear(f"{name}.mlp.fc2", CONTEXT, 4 * CONTEXT)


def _adapter() -> Shapes:
    """T2I-Adapter, the light kind. Only its first scale meets this UNet; the others are there because hosts ask."""
    into = 3 * 64
    for scale, out in enumerate((320, 640, 1280, 1280)):
        inner = out // 4
        yield from _conv(f"body.{scale}.in_conv", inner, into, 1)
        for block in range(4):
            yield from _conv(f"body.{scale}.body.{block}.block1", inner, inner)
            yield from _conv(f"body.{scale}.body.{block}.block2", inner, inner)
        yield from _conv(f"body.{scale}.out_conv", out, inner, 1)
        into = out


def _draw(shapes: Shapes, seed: int, gains: dict[str, float] | None = None) -> Weights:
    """Half-precision weights that keep the signal's size: normal with variance gain² / inputs; norms near 1.

    gains: by part of the name, for layers that should speak louder or softer than 1.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn: Weights = {}
    for name, shape in shapes:
        values = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            gain = next((gain for part, gain in (gains or {}).items() if part in name), 1.0)
            values *= gain / values[0].numel() ** 0.5
        else:
            values *= 0.1
            if name.endswith("weight"):  # a vector of weights is a norm's
                values += 1
        drawn[name] = values.half()
    return drawn


_UNET_GAINS = {"attn2.to_out": 3.0, "time_embed.2": 0.5, "to_q": 2.0, "out_layers.3": 0.7}


def _mostly_noise(unet: Weights, texture: float = 0.3) -> None:
    """Make the UNet see most of its input as noise, as a trained one does, so that pictures keep a natural size.

    Its first eight channels carry the input and its negative past all layers to the end, where
    silu(a) - silu(-a) = a returns the input; the other channels add their ``texture``. The next group carries what a
    ControlNet says of light and dark (see _show_hint) to the estimate in the same way. In both groups a pair of
    constants is the yardstick by which the last norm measures.
    """
    carried, both, yardstick = 2 * LATENT, 2 * _GROUP, 3.0
    first, skip, last = "input_blocks.0.0", "output_blocks.2.0.skip_connection", "output_blocks.2.0.out_layers.3"
    for name in (first, skip, last):
        unet[f"{name}.weight"][:both] = 0
        unet[f"{name}.bias"][:both] = 0
    unet["out.0.weight"][:both], unet["out.0.bias"][:both] = 1, 0
    out = unet["out.2.weight"]
    out *= texture
    out[:, :both] = 0
    for i in range(both):
        unet[f"{skip}.weight"][i, CHANNELS + i] = 1
    for i in range(carried):
        sign = 1 - 2 * (i % 2)
        unet[f"{first}.weight"][i, i // 2, 1, 1] = sign
        out[i // 2, i, 1, 1] = sign * ((carried + 2 * yardstick**2) / _GROUP) ** 0.5
    for i, constant in ((carried, yardstick), (_GROUP + 2, 1.0)):
        unet[f"{first}.bias"][i], unet[f"{first}.bias"][i + 1] = constant, -constant
    light = torch.tensor([1.0, 1.0, 0.3, -1.0])
    out[:, _GROUP, 1, 1], out[:, _GROUP + 1, 1, 1] = -light, light


def _show_hint(control: Weights, light: float, middle: float) -> None:
    """Let a ControlNet brighten what is brighter than ``middle`` in its hint (light < 0: darken it).

    The brightness runs through the hint's layers as a pair a, -a, since silu(a) - silu(-a) = a.
    """
    for layer in range(0, 15, 2):
        weight, bias = control[f"input_hint_block.{layer}.weight"], control[f"input_hint_block.{layer}.bias"]
        row = _GROUP if layer == 14 else 0
        weight[row : row + 2], bias[row : row + 2] = 0, 0
        for i, sign in ((0, 1.0), (1, -1.0)):
            if layer == 0:
                weight[i, :, 1, 1], bias[i] = sign / 3, -sign * middle
            else:
                weight[row + i, 0], weight[row + i, 1] = sign / 9, -sign / 9
    for name in ("input_blocks.0.0", "zero_convs.0.0"):
        control[f"{name}.weight"][: 2 * _GROUP] = 0
        control[f"{name}.bias"][: 2 * _GROUP] = 0
    for i in (_GROUP, _GROUP + 1):
        control["zero_convs.0.0.weight"][i, i] = light


def _mostly_colour(vae: Weights, texture: float = 0.25) -> None:
    """Make the decoder show the latent as soft colours, as a trained one roughly does, under a fine texture.

    Its first eight channels carry the positive and the negative part of the latent past all layers.
    """
    carried, blur = 2 * LATENT, torch.tensor([0.25, 0.5, 0.25])
    vae["taesd_decoder.1.weight"][:carried], vae["taesd_decoder.1.bias"][:carried] = 0, 0
    for name in vae:
        if name.startswith("taesd_decoder") and ".conv.4." in name:
            vae[name][:carried] = 0
    for up in (7, 12, 17):
        vae[f"taesd_decoder.{up}.weight"][:carried] = 0
    last, colours = vae["taesd_decoder.19.weight"], torch.tensor([[3, 2, 2], [2, 3, 2], [-2, 2, 3], [-2, -3, -5]]) / 16
    last *= texture
    last[:, :carried] = 0
    for i in range(carried):
        sign = 1 - 2 * (i % 2)
        vae["taesd_decoder.1.weight"][i, i // 2, 1, 1] = sign
        for up in (7, 12, 17):
            vae[f"taesd_decoder.{up}.weight"][i, i] = blur[:, None] * blur
        last[:, i, 1, 1] = sign * colours[i // 2]
    vae["taesd_decoder.19.bias"][:] = 0.5


def checkpoint(seed: int = 0) -> Weights:
    """UNet, VAE and text encoder in one file.

    The text encoder's size is fixed by the hosts, so its twelve layers share one set of weights and its words are
    windows of one row of numbers: the file holds 15 MB for it instead of 246. Such sharing needs a pickled file
    (.ckpt); it loads in torch's safe mode too.
    """
    unet = _draw(_unet(), seed, _UNET_GAINS)
    _mostly_noise(unet)
    made = {f"model.diffusion_model.{k}": v for k, v in unet.items()}
    vae = _draw(_tiny_vae(), seed + 1, {".conv.4": 0.5, ".conv.": 1.4, "taesd_decoder.19": 0.3})
    _mostly_colour(vae)
    made.update({f"first_stage_model.{k}": v for k, v in vae.items()})
    made["first_stage_model.vae_scale"] = torch.tensor(0.18215)  # a latent of size 1
    made["first_stage_model.vae_shift"] = torch.tensor(0.0)
    clip = "cond_stage_model.transformer.text_model"
    layer = _draw(_clip_layer("layer"), seed + 2)
    for i in range(CLIP_LAYERS):
        made.update({f"{clip}.encoder.layers.{i}{k.removeprefix('layer')}": v for k, v in layer.items()})
    generator = torch.Generator().manual_seed(seed + 3)
    row = torch.randn(CLIP_WORDS + CONTEXT, generator=generator).half()
    made[f"{clip}.embeddings.token_embedding.weight"] = row.as_strided((CLIP_WORDS, CONTEXT), (1, 1))
    made[f"{clip}.embeddings.position_embedding.weight"] = (
        0.3 * torch.randn(CLIP_TOKENS, CONTEXT, generator=generator)
    ).half()
    made.update(_draw(_norm(f"{clip}.final_layer_norm", CONTEXT), seed + 4))
    return made


def lora(seed: int = 10, rank: int = 4) -> Weights:
    """A LoRA of the attention layers of UNet and text encoder, in the common (kohya) naming."""
    prefix = "lora_unet_down_blocks_0_attentions_0"  # as diffusers calls input_blocks.1.1
    targets = {
        prefix + name.removesuffix(".weight").replace(".", "_"): shape
        for name, shape in _attention("")
        if ".transformer_blocks" in name and len(shape) == 2
    }
    for part in ("q_proj", "v_proj"):
        targets[f"lora_te_text_model_encoder_layers_3_self_attn_{part}"] = (CONTEXT, CONTEXT)
    made: Weights = {}
    for i, (name, (out, into)) in enumerate(targets.items()):
        pair = _draw(iter([("down", (rank, into)), ("up", (out, rank))]), seed + i, {"up": 1.0})
        made |= {
            f"{name}.lora_down.weight": pair["down"],
            f"{name}.lora_up.weight": pair["up"],
            f"{name}.alpha": torch.tensor(float(rank)),
        }
    return made


def controlnet(seed: int = 20, light: float = 4.0, middle: float = 0.6) -> Weights:
    """A ControlNet in the original naming, whose hint speaks up (a new one ends in zeros and says nothing)."""
    gains = {**_UNET_GAINS, "input_hint_block": 1.6}

    def shapes() -> Shapes:
        yield from _encoder()
        yield from _hint_block()
        yield from _controls()

    made = _draw(shapes(), seed, gains)
    _show_hint(made, light, middle)
    return made


def control_lora(seed: int = 30, rank: int = 4) -> Weights:
    """A Control-LoRA: hint layers in full, the rest as low-rank changes of the checkpoint's own UNet."""
    made = _draw(_hint_block(), seed, {"": 1.6}) | _draw(_controls(), seed + 1)
    for i, (name, shape) in enumerate(_encoder()):
        if len(shape) > 1:
            down, up = (rank, *shape[1:]), (shape[0], rank, *[1] * (len(shape) - 2))
            pair = _draw(iter([("down", down), ("up", up)]), seed + 2 + i, {"": 0.7})
            made |= {f"{name.removesuffix('.weight')}.{k}": v for k, v in pair.items()}
    for kind in ("weight", "bias"):  # beside the channels that carry the noise
        made[f"zero_convs.0.0.{kind}"][: 2 * _GROUP] = 0
    return made | {"lora_controlnet": torch.tensor([])}


def t2i_adapter(seed: int = 40) -> Weights:
    return _draw(_adapter(), seed)


# name: (folder, what makes it)
FILES: dict[str, tuple[str, Callable[[], Weights]]] = {
    "synctweedies_tiny.ckpt": ("checkpoints", checkpoint),
    "synctweedies_tiny_lora.safetensors": ("loras", lora),
    "synctweedies_tiny_depth.safetensors": ("controlnet", controlnet),
    "synctweedies_tiny_edges.safetensors": ("controlnet", lambda: controlnet(21, -1.5, 0.0)),
    "synctweedies_tiny_control_lora.safetensors": ("controlnet", control_lora),
    "synctweedies_tiny_t2i.safetensors": ("controlnet", t2i_adapter),
}


def write(folder: Path, name: str) -> Path:
    """Write one of FILES below ``folder`` and return its path. It appears complete or not at all."""
    below, make = FILES[name]
    path = folder / below / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    if path.suffix == ".ckpt":
        torch.save({"state_dict": make()}, part)
    else:
        from safetensors.torch import save_file

        save_file(make(), part)
    part.replace(path)
    return path


if __name__ == "__main__":
    if unknown := set(sys.argv[2:]) - set(FILES):
        sys.exit(f"no small model is called {', '.join(sorted(unknown))}; there is {', '.join(FILES)}")
    for wanted in sys.argv[2:]:
        write(Path(sys.argv[1]), wanted)
