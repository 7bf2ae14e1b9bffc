"""Videos: the canonical space of frames, their motion, and how steady a result is."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...renderers.video.flow import METHODS
from ...renderers.video.motion import PROJECTIONS
from ...renderers.video.space import NOISES, SAMPLINGS
from ..declare import LINKED, Choice, Node, Socket, Switch, Whole
from ..widgets import side
from .video import Shape, checked, video_motion, video_report, video_space

PROJECTION = Choice(PROJECTIONS)


@Node(
    "Video Space",
    "video",
    inputs={
        "width": side(512).says("Width of a frame, image pixels. Not read where a video or a motion is connected."),
        "height": side(512).says("Height of a frame, image pixels. Not read where a video or a motion is connected."),
        "frames": Whole(16, 1, 4096).says("How many frames. Not read where a video or a motion is connected."),
        "loop": Switch(False).says("The last frame goes on with the first. Set VideoMotion's loop too."),
    },
    optional={
        "video": Socket("IMAGE").says("The frames that are changed: tells size and number."),
        "motion": Socket("VIDEO_MOTION").says(
            "VideoMotion's: what frames show of each other becomes one, so that textures stay on what they are on. "
            "Empty: every frame is by itself, and only noise is shared."
        ),
        "noise": Choice(NOISES, advanced=True).says(
            "Noise of the frames. same: one for all. canvas: each frame its own. warped: it moves with the scene. "
            "auto: warped where there is a motion, else same."
        ),
        "sampling": Choice(SAMPLINGS, default="nearest", advanced=True)
        .says(
            "How a frame reads what an earlier one showed. nearest keeps grain and moves it by whole cells; bilinear "
            "moves smoothly and is softer."
        )
        .when(motion=LINKED),
        "projection": PROJECTION.says(
            "What a frame is. flat: a picture. panorama: a whole sphere, equirectangular, twice as wide as high, whose "
            "left and right edges meet. Set VideoMotion's too."
        ),
    },
    outputs={
        "space": Socket("CANONICAL_SPACE").says("Connect together with a rig."),
        "rig": Socket("VIEW_RIG").says(
            "One view a frame; of a panorama six cameras that see all of it, a quarter as wide. Instead: ViewRig's "
            "windows inside of large frames, or its ring, sphere, fibonacci and custom in a panorama."
        ),
    },
    search=[
        "video",
        "frames",
        "animation",
        "vid2vid",
        "film",
        "loop",
        "temporal",
        "flicker",
        "consistent video",
        "360 video",
        "vr video",
    ],
)
class VideoSpace:
    """A video as the picture that all frames share: any image model makes or changes it, frame by frame. Costs nothing
    by itself; the sampler calls the model once a frame and step."""

    def build(
        self,
        width: int,
        height: int,
        frames: int,
        loop: bool,
        video: Tensor | None = None,
        motion: Any = None,
        noise: Any = "auto",
        sampling: Any = "nearest",
        projection: Any = "flat",
    ) -> tuple[Any, Any]:
        known = checked(motion)
        shape = Shape.of(video, known, Shape(width, height, frames))
        return video_space(shape, loop, known, noise, sampling, projection)


@Node(
    "Video Motion",
    "video",
    inputs={
        "video": Socket("IMAGE").says("The frames, as one batch."),
        "loop": Switch(False).says("The last frame goes on with the first."),
        "method": Choice(METHODS, advanced=True).says(
            "Who estimates it. opencv dis: fast and good, where OpenCV is installed. lucas-kanade: our own, about a "
            "second a frame. auto: the first that is there."
        ),
    },
    optional={
        "flow": Socket("IMAGE,RAFT_FLOW,OPTICAL_FLOW").says(
            "Instead of estimating: from each frame to the next, as pictures of coordinates (where a pixel is there: "
            "red 0 at the left edge to 1 at the right, green from the top), or pixels to go [frames, 2, height, width]."
        ),
        "projection": PROJECTION.says(
            "What a frame is. flat: a picture. panorama: a whole sphere, equirectangular: what leaves it on the left "
            "comes in on the right, and poles are places like any other. Costs three to six times as much."
        ),
    },
    outputs={
        "motion": Socket("VIDEO_MOTION").says("Connect to VideoSpace and VideoReport."),
        "new": Socket("MASK").says("1 where a frame shows what the one before does not: edges, and what was hidden."),
        "picture": Socket("IMAGE").says("Ways as hues, their length as strength; black is not in the next frame."),
        "report": Socket("STRING").says("The figures, one a line."),
    },
    search=["optical flow", "raft", "tracking", "motion vectors", "temporal", "flicker"],
)
class VideoMotion:
    """Finds what of each frame is where in the next, there and back; what does not come back to where it began is taken
    for hidden. Costs about a tenth of a second a frame of 512 x 512 with OpenCV, about a second without."""

    def find(
        self, video: Tensor, loop: bool, method: Any, flow: Any = None, projection: Any = "flat"
    ) -> tuple[Any, Tensor, Tensor, str]:
        motion, text = video_motion(video, loop, method, flow, projection)
        return motion, motion.new, motion.drawn(), text


@Node(
    "Video Report",
    "video",
    inputs={"video": Socket("IMAGE").says("The frames, as one batch.")},
    optional={
        "motion": Socket("VIDEO_MOTION").says("VideoMotion's; frames are compared along it. Empty: in place."),
        "style": Socket("IMAGE").says("Pictures that the frames should be like."),
    },
    outputs={
        "report": Socket("STRING").says("The figures, one a line."),
        "json": Socket("STRING").says("The figures as a JSON object; null where there is nothing to measure."),
    },
    search=["flicker", "psnr", "temporal consistency", "warp error", "loop seam", "measure"],
    output_node=True,
)
class VideoReport:
    """Measures how steady a video is: PSNR between neighbours along the motion, style between frames, and the seam
    where a loop closes. Costs some milliseconds a frame."""

    def report(self, video: Tensor, motion: Any = None, style: Tensor | None = None) -> tuple[str, str]:
        return video_report(video, checked(motion), style)
