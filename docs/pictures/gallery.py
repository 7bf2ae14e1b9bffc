"""What the gallery shows: runs that make one want to try."""

from __future__ import annotations

from dataclasses import dataclass

from .recipe import Picture, Tile


@dataclass(frozen=True)
class Shown:
    """``words``: what is seen."""

    picture: Picture
    words: str

    @property
    def name(self) -> str:
        return self.picture.name


def one(name: str, words: str, *tiles: Tile, across: int = 1) -> Shown:
    return Shown(Picture(name, (), words, "", Tile(""), tiles, across), words)


def composed(words: str, ground: str, sky: str = "cloudy_sky", seed: int = 1) -> Tile:
    """Words compose, exemplars of this ground and sky paint."""
    return Tile(
        "",
        workflow="wide_image_composed",
        show="9.0",
        set=(f"Words.text={words}", f"1.picture={ground}", f"12.picture={sky}", f"18.seed={seed}"),
    )


def landscape(words: str, seed: int) -> Tile:
    return Tile(
        "",
        workflow="wide_image_checkpoint",
        show="8.0",
        set=(f"Prompt.text={words}", f"SyncTweediesSampler.seed={seed}", "CanonicalSpace.width=448"),
    )


def lighthouse(material: str) -> Tile:
    return Tile(
        "",
        workflow="splats_text_controlnet",
        show="18.0",
        set=(
            f"ViewPrompts.prefix=a tower of {material} ",
            "Upper half.y=0",
            "Upper half.height=4",
            "Turntable.width=200",
            "Turntable.height=250",
        ),
        frames=(0, 2, 4, 6),
        crop=(0.1, 0.04, 0.9, 0.96),
    )


def readings(first: str, second: str, warp: str, seed: int) -> Tile:
    return Tile(
        "",
        workflow="illusion_latent_checkpoint",
        show="12.1",
        set=(
            f"Upright.prompt={first}",
            f"Upside down.prompt={second}",
            f"Upside down.warp={warp}",
            f"SyncTweediesSampler.seed={seed}",
        ),
        frames=(0, 1),
    )


GALLERY: tuple[tuple[str, tuple[Shown, ...]], ...] = (
    (
        "Words compose, exemplars paint",
        (
            one(
                "dunes",
                "Dunes of pebbles.",
                composed("pebbles under a cloudy sky", "pebbles", seed=1),
            ),
            one(
                "autumn",
                "Autumn.",
                composed("leaves under a cloudy sky", "forest_floor", seed=1),
            ),
        ),
    ),
    (
        "Four sentences, one small model",
        (
            one(
                "landscapes",
                "Snow at night, a lake in the evening, lava, sand: eleven megabytes of model.",
                landscape("snow and mountains under a night sky", 3),
                landscape("water and mountains under an evening sky", 5),
                landscape("lava under an evening sky", 6),
                landscape("sand and mountains under a blue sky", 6),
            ),
        ),
    ),
    (
        "One picture, two readings",
        (
            one(
                "readings",
                "Sand and sea; snow at night and its negative, lava by day; a meadow that is water upside down.",
                readings("sand under a blue sky", "water under an evening sky", "flip_y", 1),
                readings("snow under a night sky", "lava under a blue sky", "negate", 1),
                readings("grass under a blue sky", "water under a cloudy sky", "rotate_180", 2),
                across=3,
            ),
        ),
    ),
    (
        "A scene in other colours",
        (
            one(
                "lighthouses",
                "The same 24,000 splats in leaves, in lava, in gold.",
                lighthouse("leaves"),
                lighthouse("lava"),
                lighthouse("gold"),
            ),
        ),
    ),
)


SHIPPED = (
    "panorama_composed",
    "wide_image_composed",
    "wide_image_journey",
    "panorama_depth_controlnet",
    "splats_exemplar",
    "mesh_exemplar",
    "mesh_edit",
    "illusion_hybrid",
    "illusion_mirror",
)
"""Workflows whose thumbnails are worth a second look, as they come."""
