"""Write small model files with random weights, in the layouts in which users' model files come.

``python make_small_models.py FOLDER NAME ...`` writes the named files (see FILES) into FOLDER/checkpoints, /loras and
/controlnet, which a ComfyUI finds by their plain names. They stand in for a user's own models where a workflow or a
test must load real files and no download is wanted: any host takes them for Stable Diffusion 1.5 and its parts.
Weights are drawn from seeds, so every run writes the same numbers. The pictures they make are abstract.

Needs torch and safetensors only; small_model_layouts.py has the layers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from small_model_layouts import (
    CHANNELS,
    CLIP_LAYERS,
    CLIP_TOKENS,
    CLIP_WORDS,
    CONTEXT,
    GROUP,
    LATENT,
    Shapes,
    adapter,
    attention,
    clip_layer,
    controls,
    encoder,
    hint_block,
    norm,
    tiny_vae,
    unet,
)
from torch import Tensor

Weights = dict[str, Tensor]


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
    carried, both, yardstick = 2 * LATENT, 2 * GROUP, 3.0
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
        out[i // 2, i, 1, 1] = sign * ((carried + 2 * yardstick**2) / GROUP) ** 0.5
    for i, constant in ((carried, yardstick), (GROUP + 2, 1.0)):
        unet[f"{first}.bias"][i], unet[f"{first}.bias"][i + 1] = constant, -constant
    light = torch.tensor([1.0, 1.0, 0.3, -1.0])
    out[:, GROUP, 1, 1], out[:, GROUP + 1, 1, 1] = -light, light


def _show_hint(control: Weights, light: float, middle: float) -> None:
    """Let a ControlNet brighten what is brighter than ``middle`` in its hint (light < 0: darken it).

    The brightness runs through the hint's layers as a pair a, -a, since silu(a) - silu(-a) = a.
    """
    for layer in range(0, 15, 2):
        weight, bias = control[f"input_hint_block.{layer}.weight"], control[f"input_hint_block.{layer}.bias"]
        row = GROUP if layer == 14 else 0
        weight[row : row + 2], bias[row : row + 2] = 0, 0
        for i, sign in ((0, 1.0), (1, -1.0)):
            if layer == 0:
                weight[i, :, 1, 1], bias[i] = sign / 3, -sign * middle
            else:
                weight[row + i, 0], weight[row + i, 1] = sign / 9, -sign / 9
    for name in ("input_blocks.0.0", "zero_convs.0.0"):
        control[f"{name}.weight"][: 2 * GROUP] = 0
        control[f"{name}.bias"][: 2 * GROUP] = 0
    for i in (GROUP, GROUP + 1):
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
    weights = _draw(unet(), seed, _UNET_GAINS)
    _mostly_noise(weights)
    made = {f"model.diffusion_model.{k}": v for k, v in weights.items()}
    vae = _draw(tiny_vae(), seed + 1, {".conv.4": 0.5, ".conv.": 1.4, "taesd_decoder.19": 0.3})
    _mostly_colour(vae)
    made.update({f"first_stage_model.{k}": v for k, v in vae.items()})
    made["first_stage_model.vae_scale"] = torch.tensor(0.18215)  # a latent of size 1
    made["first_stage_model.vae_shift"] = torch.tensor(0.0)
    clip = "cond_stage_model.transformer.text_model"
    layer = _draw(clip_layer("layer"), seed + 2)
    for i in range(CLIP_LAYERS):
        made.update({f"{clip}.encoder.layers.{i}{k.removeprefix('layer')}": v for k, v in layer.items()})
    generator = torch.Generator().manual_seed(seed + 3)
    row = torch.randn(CLIP_WORDS + CONTEXT, generator=generator).half()
    made[f"{clip}.embeddings.token_embedding.weight"] = row.as_strided((CLIP_WORDS, CONTEXT), (1, 1))
    made[f"{clip}.embeddings.position_embedding.weight"] = (
        0.3 * torch.randn(CLIP_TOKENS, CONTEXT, generator=generator)
    ).half()
    made.update(_draw(norm(f"{clip}.final_layer_norm", CONTEXT), seed + 4))
    return made


def lora(seed: int = 10, rank: int = 4) -> Weights:
    """A LoRA of the attention layers of UNet and text encoder, in the common (kohya) naming."""
    prefix = "lora_unet_down_blocks_0_attentions_0"  # as diffusers calls input_blocks.1.1
    targets = {
        prefix + name.removesuffix(".weight").replace(".", "_"): shape
        for name, shape in attention("")
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
        yield from encoder()
        yield from hint_block()
        yield from controls()

    made = _draw(shapes(), seed, gains)
    _show_hint(made, light, middle)
    return made


def control_lora(seed: int = 30, rank: int = 4) -> Weights:
    """A Control-LoRA: hint layers in full, the rest as low-rank changes of the checkpoint's own UNet."""
    made = _draw(hint_block(), seed, {"": 1.6}) | _draw(controls(), seed + 1)
    for i, (name, shape) in enumerate(encoder()):
        if len(shape) > 1:
            down, up = (rank, *shape[1:]), (shape[0], rank, *[1] * (len(shape) - 2))
            pair = _draw(iter([("down", down), ("up", up)]), seed + 2 + i, {"": 0.7})
            made |= {f"{name.removesuffix('.weight')}.{k}": v for k, v in pair.items()}
    for kind in ("weight", "bias"):  # beside the channels that carry the noise
        made[f"zero_convs.0.0.{kind}"][: 2 * GROUP] = 0
    return made | {"lora_controlnet": torch.tensor([])}


def t2i_adapter(seed: int = 40) -> Weights:
    return _draw(adapter(), seed)


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
