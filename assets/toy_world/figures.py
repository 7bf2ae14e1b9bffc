"""How good the networks are: sheets to look at and the probe's figures."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...nodes.models.toy.networks import TextNetwork, ToyControl, ToyUNet
from .materials import GROUNDS, MATERIALS, SKIES
from .pictures import Pictures
from .probe import Probe, background_of, object_mask, overlap, share
from .sampling import paint
from .scenes import BACKGROUNDS
from .shapes import OBJECTS
from .sheets import sheet

_SCENES = (
    "a gold teapot on grass under a cloudy sky",
    "a ball of bricks on sand under a blue sky",
    "a lava tower on snow under a night sky",
    "a vase of water on leaves",
    "a snow ring on water under an evening sky",
)


def of_model(probe: Probe, unet: ToyUNet, text: TextNetwork, folder: Path, step: int) -> dict[str, float]:
    """Sheets ``objects`` and ``places``, and the share of prompts whose word the probe reads in the picture."""
    unet.eval()
    pairs = [(name, material) for material in MATERIALS for name in OBJECTS]
    # (snow on white has no edge)
    grounds = ["black" if material == "snow" else "white" for _, material in pairs]
    told = [f"a {n} of {m} on a {g} background" for (n, m), g in zip(pairs, grounds, strict=True)]
    objects = paint(unet, text, told, seed=1)
    whole = paint(unet, text, [*MATERIALS] * 2, seed=2)
    lands = [(GROUNDS[i % len(GROUNDS)], SKIES[(i + i // len(SKIES)) % len(SKIES)]) for i in range(24)]
    land = paint(unet, text, [f"{g} under a {s} sky" for g, s in lands], seed=3)
    plain = [*BACKGROUNDS] * 2
    behind = paint(unet, text, [f"a ball of wood on a {b} background" for b in plain], seed=4)
    scenes = paint(unet, text, _SCENES, seed=5)
    sheet(folder / f"objects_{step:06d}.png", objects, told, len(OBJECTS) * 2)
    names = [*MATERIALS] + [f"{g} / {s}" for g, s in lands] + list(_SCENES)
    sheet(folder / f"places_{step:06d}.png", torch.cat([whole[: len(MATERIALS)], land, scenes]), names, 10)
    return {
        "material_of_object": share(probe.material_of_object(objects), [m for _, m in pairs]),
        "material_of_whole": share(probe.material_of_whole(whole), [*MATERIALS] * 2),
        "ground": share(probe.ground_of(land), [g for g, _ in lands]),
        "sky": share(probe.sky_of(land), [s for _, s in lands]),
        "background": share(background_of(behind), plain),
    }


def held_out(real: Pictures, count: int) -> tuple[Tensor, list[str], Tensor]:
    """(hints [N, 3, h, w], captions, masks [N, h, w]) of objects on white that were not trained, but those of snow."""
    wanted = [
        i
        for i, kind in enumerate(real.kinds)
        if kind == "object" and real.behind[i] == "white" and real.materials[i] != "snow"
    ]
    hints = real.hints[wanted[:count]].float() / 255
    return hints[:, None].expand(-1, 3, -1, -1), [real.captions[i] for i in wanted[:count]], hints > 0


def of_control(
    real: Pictures, unet: ToyUNet, text: TextNetwork, network: ToyControl, folder: Path, step: int
) -> dict[str, float]:
    """Sheet ``depth`` (hint, without, with), and how well silhouettes follow their own hint and another's."""
    network.eval()
    hints, captions, masks = held_out(real, 24)
    without = paint(unet, text, captions, seed=6)
    given = paint(unet, text, captions, seed=6, control=(network, hints))
    other = masks.roll(7, 0)
    sheet(folder / f"depth_{step:06d}.png", torch.cat([hints, without, given]), captions * 3, 24, 1)
    return {
        "own_hint": round(overlap(object_mask(given), masks), 3),
        "others_hint": round(overlap(object_mask(given), other), 3),
        "no_controlnet": round(overlap(object_mask(without), masks), 3),
    }


def of_lora(unet: ToyUNet, text: TextNetwork, folder: Path, step: int) -> dict[str, float]:
    """Sheet ``blueprint``, and how much bluer than red pictures are."""
    told = [f"a {name} of {MATERIALS[i]} on a white background" for i, name in enumerate(OBJECTS)]
    told += ["grass under a cloudy sky", "sand and mountains under a blue sky", "bricks", "pebbles"]
    made = paint(unet, text, told, seed=7)
    sheet(folder / f"blueprint_{step:06d}.png", made, told, 10)
    return {"blue_over_red": round(float((made[:, 2] - made[:, 0]).mean()), 3)}
