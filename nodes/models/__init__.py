"""Models that the host does not load."""

from .diffusers_nodes import LoadDiffusersText, LoadDiffusersUNet, SyncTweediesUpscale
from .exemplar_nodes import ExemplarModel, SyncTweediesExemplarPicture
from .toy_nodes import ToyWorldModel

NODES = (
    SyncTweediesExemplarPicture,
    ExemplarModel,
    LoadDiffusersUNet,
    LoadDiffusersText,
    SyncTweediesUpscale,
    ToyWorldModel,
)
