"""Videos: frames as one canvas, their motion, and how steady they are."""

from .nodes import VideoMotion, VideoReport, VideoSpace

NODES = (VideoSpace, VideoMotion, VideoReport)
