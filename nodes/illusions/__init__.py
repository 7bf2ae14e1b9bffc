"""Pictures that are read in several ways."""

from .hybrid_nodes import IllusionBlend, IllusionCustomWarp, IllusionHybrid
from .nodes import IllusionHinge, IllusionMirror, IllusionRig, IllusionShuffle
from .output_nodes import IllusionFrames, IllusionPreview, IllusionPrompts, IllusionReport

NODES = (
    IllusionRig,
    IllusionShuffle,
    IllusionHinge,
    IllusionMirror,
    IllusionHybrid,
    IllusionCustomWarp,
    IllusionBlend,
    IllusionPrompts,
    IllusionFrames,
    IllusionPreview,
    IllusionReport,
)
