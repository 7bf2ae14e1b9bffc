"""What a node is for (its group), how groups and nodes are coloured, and what each node says of where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OURS = frozenset(json.loads((ROOT / "tests" / "data" / "node_contract.json").read_text(encoding="utf-8")))
PACK, CORE = "synctweedies", "comfy-core"  # the names of both in the registry

MODEL, CANVAS, WORDS, HINTS, SAMPLING, RESULT = "Model", "Canvas and views", "Words", "Hints", "Sampling", "Result"
_KINDS = {
    MODEL: "CLIPLoader CheckpointLoaderSimple ControlNetLoader DualCLIPLoader ExemplarModel LoadDiffusersText "
    "LoadDiffusersUNet LoraLoader ModelSamplingSD3 SyncTweediesExemplarPicture SyncTweediesWrappedVAE ToyWorldModel "
    "UNETLoader VAELoader",
    CANVAS: "CameraFileRig CanonicalSpace IllusionBlend IllusionCustomWarp IllusionHinge IllusionHybrid IllusionMirror "
    "IllusionRig IllusionShuffle MeshSpace OrbitRig RigCamera RigPreview RigReport SplatSpace SyncTweediesLoadMesh "
    "SyncTweediesLoadSplats SyncTweediesQuality SyncTweediesUnwrap VideoClips VideoMotion VideoSpace ViewRig",
    WORDS: "CLIPTextEncode CanonicalPrompt FluxGuidance IllusionPrompts PromptJourney ViewPrompts",
    HINTS: "ControlNetApplyAdvanced ControlStrengthSchedule EquirectFromPicture EquirectViews ImageScale ImageToMask "
    "ImageCrop InvertMask InstructPixToPixConditioning LoadImage MaskComposite MaskToImage MeshViews "
    "PanoramaDepthViews ReferenceLatent SetLatentNoiseMask SolidMask SplatMask SplatViews SyncTweediesControlNet "
    "SyncTweediesViewImages ThresholdMask VAEEncode",
    SAMPLING: "BasicScheduler CFGGuider CrossViewAttention KSampler KSamplerSelect SamplerCustomAdvanced StructureLock "
    "SyncCoherence SyncEdit SyncEditGuider SyncTweediesNoise SyncTweediesPatch SyncTweediesSampler "
    "SyncTweediesSamplerWrap SyncTweediesUpscale SyncTweediesViewLatents SyncVisits ViewBackground",
    RESULT: "EquirectCubemap EquirectRotate EquirectStitch ImageCompositeMasked IllusionFrames IllusionPreview "
    "IllusionReport MeshTextureBake MeshTurntable PreviewImage SaveAnimatedWEBP SaveImage SavePanorama SaveSplats "
    "SaveTexturedMesh SplatTextureBake SplatTurntable StitchViews SyncReport SyncTweediesPreview360 "
    "SyncTweediesPreviewMesh SyncTweediesPreviewSplats VAEDecode VideoReport",
}
GROUP_OF = {kind: name for name, kinds in _KINDS.items() for kind in kinds.split()}
SAMPLERS = frozenset({"KSampler", "SamplerCustomAdvanced", "SyncTweediesSampler"})
# Colours of groups, and of the title and body of the pack's own nodes in them: quiet, and apart in both themes.
GROUP_COLOURS = {
    MODEL: "#5f6b7a",
    CANVAS: "#3f7f86",
    WORDS: "#a8843c",
    HINTS: "#7a6aa8",
    SAMPLING: "#4a6fb0",
    RESULT: "#5a8f5a",
}
_OWN = {
    MODEL: ("#39434f", "#2f363e"),
    CANVAS: ("#1f4f55", "#26383b"),
    WORDS: ("#5f4a1f", "#3b3526"),
    HINTS: ("#453a66", "#322e40"),
    SAMPLING: ("#27416f", "#29313f"),
    RESULT: ("#2d532d", "#293629"),
}
_NOTE = ("#5a4a2a", "#3d3526")


def group_of(kind: str) -> str | None:
    """The group of a type of node; none for notes."""
    if kind == "MarkdownNote":
        return None
    if kind not in GROUP_OF:
        raise KeyError(f"docs/layout/looks.py does not say which group {kind} belongs to")
    return GROUP_OF[kind]


def dress(node: dict[str, Any]) -> None:
    """Colours of a node, and where it comes from."""
    kind = node["type"]
    properties = node.get("properties") or {}
    properties["Node name for S&R"] = kind
    properties["cnr_id"] = PACK if kind in OURS else CORE
    properties.setdefault("ver", VERSIONS[properties["cnr_id"]])
    node["properties"] = properties
    if kind == "MarkdownNote":
        node["color"], node["bgcolor"] = _NOTE
    elif kind in OURS:
        node["color"], node["bgcolor"] = _OWN[GROUP_OF[kind]]


def _version() -> str:
    for line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("version"):
            return line.split('"')[1]
    raise ValueError("pyproject.toml has no version")


VERSIONS = {PACK: _version(), CORE: "0.33.0"}
