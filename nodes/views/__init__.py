"""Spaces, rigs, and what becomes of the views: prompts, pictures, stitching."""

from .backgrounds import ViewBackground
from .orbit_nodes import OrbitRig, RigCamera
from .picture_nodes import SyncTweediesViewImages
from .prompt_nodes import CanonicalPrompt, PromptJourney, ViewPrompts
from .quality_nodes import SyncTweediesQuality
from .report import RigPreview, RigReport
from .spaces import CanonicalSpace, ViewRig
from .stitch_nodes import StitchViews, SyncReport
from .wrapping_nodes import SyncTweediesWrappedVAE

NODES = (
    CanonicalSpace,
    ViewRig,
    OrbitRig,
    RigCamera,
    ViewBackground,
    RigReport,
    RigPreview,
    SyncTweediesViewImages,
    ViewPrompts,
    CanonicalPrompt,
    PromptJourney,
    StitchViews,
    SyncReport,
    SyncTweediesQuality,
    SyncTweediesWrappedVAE,
)
