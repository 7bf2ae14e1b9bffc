"""Videos: frames as one canvas, their motion, and how steady they are."""

from .clip_nodes import VideoClips
from .nodes import VideoMotion, VideoReport, VideoSpace

NODES = (VideoSpace, VideoClips, VideoMotion, VideoReport)
