"""Pictures of options of videos: a few frames side by side."""

from __future__ import annotations

from .recipe import More, Picture, Tile

# Half the frames of a camera that pans once around a strip of stones, from nothing; each goes 24 pixels further.
LOOP = Tile("", workflow="video_loop", show="14.0", frames=(0, 1, 2), set=("ViewRig.pixels=24",))
# A few frames of a camera that turns and comes nearer.
CLOSER = "ViewRig.cameras=" + "\n".join(f"{2.3 * t:g} {1.2 * t:g} {60 - 3 * t:g} {t:g}" for t in range(6))
RESTYLE = Tile(
    "",
    workflow="video_restyle",
    show="17.0",
    frames=(0, 5),
    crop=(0.25, 0.25, 0.75, 0.75),
    set=(CLOSER, "ViewRig.width=96", "ViewRig.height=64", "SyncTweediesSampler.steps=8"),
)
SPHERES = Tile("", workflow="video_panorama", show="11.2", frames=(0,))


def still(label: str, noise: str) -> Tile:
    """The same frames, without a motion."""
    node = More("VideoSpace", {"video": "10.0", "loop": True, "noise": noise})
    wires = {"SyncTweediesSampler.space": "still.0", "SyncTweediesSampler.rig": "still.1"}
    return Tile(label, more={"still": node}, wires=wires)


PICTURES = (
    Picture(
        "video_noise",
        ("VideoSpace",),
        "noise",
        "Three frames beside each other, of a camera that goes to the right by a third of a frame. Noise of their own:"
        " three meadows. One noise for all: a meadow that stands still while the camera moves. Along a motion it goes"
        " by, and stays what it is.",
        LOOP,
        (
            still("no motion, noise = canvas", "canvas"),
            still("no motion, noise = same", "same"),
            Tile("motion, noise = warped (auto)"),
        ),
    ),
    Picture(
        "video_sampling",
        ("VideoSpace",),
        "sampling",
        "The first frame and the sixth, of a camera that turns and comes nearer: nearest keeps grain, and edges step;"
        " bilinear is smooth and softer.",
        RESTYLE,
        (
            Tile("sampling = nearest", set=("VideoSpace.sampling=nearest",)),
            Tile("sampling = bilinear", set=("VideoSpace.sampling=bilinear",)),
        ),
    ),
    Picture(
        "video_projection",
        ("VideoMotion",),
        "projection",
        "The motion that is found in frames of a sphere that turns about a leaning axis: black is what is not found in"
        " the next frame. As flat pictures, all that leaves on the left is lost, and much of the rest.",
        SPHERES,
        (
            Tile("projection = flat", set=("VideoMotion.projection=flat",)),
            Tile("projection = panorama"),
        ),
    ),
)
