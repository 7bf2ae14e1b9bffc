"""Views denoised together."""

from .attention import CrossViewAttention
from .coherence import SyncCoherence
from .controlnets import ControlStrengthSchedule
from .edit import SyncEdit, SyncEditGuider
from .hints import SyncTweediesControlNet
from .lock import StructureLock
from .sampler import (
    SyncTweediesNoise,
    SyncTweediesPatch,
    SyncTweediesSampler,
    SyncTweediesSamplerWrap,
    SyncTweediesViewLatents,
)
from .visits import SyncVisits

NODES = (
    SyncTweediesSampler,
    SyncTweediesSamplerWrap,
    SyncTweediesNoise,
    SyncTweediesPatch,
    SyncTweediesViewLatents,
    CrossViewAttention,
    ControlStrengthSchedule,
    StructureLock,
    SyncCoherence,
    SyncEdit,
    SyncEditGuider,
    SyncVisits,
    SyncTweediesControlNet,
)
