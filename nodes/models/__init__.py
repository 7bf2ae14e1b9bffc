"""Models that the host does not load."""

from .diffusers_nodes import LoadDiffusersText, LoadDiffusersUNet, SyncTweediesUpscale
from .exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture

NODES = (
    SyncTweediesExemplarPicture,
    ExemplarModel,
    LoadDiffusersUNet,
    LoadDiffusersText,
    SyncTweediesUpscale,
)
