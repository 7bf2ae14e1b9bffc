"""What a workflow says of itself: what goes in, how it is seen, what comes out. Nothing is known of it beside its file
and, where it is a published method, the table of methods (sync_core/presets.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import ceil
from typing import Any

import the_pack
from workflow_graphs import Graph, widget_values

the_pack.importable()

from syncpack.renderers.cameras.lookouts import elevations_of, sphere  # noqa: E402
from syncpack.renderers.cameras.looks import Look  # noqa: E402
from syncpack.renderers.cameras.orbits import orbit, orbit_sphere  # noqa: E402
from syncpack.renderers.video.clips import Clips, placed_clips  # noqa: E402
from syncpack.renderers.video.space import Video  # noqa: E402
from syncpack.sync_core.presets import PRESETS  # noqa: E402

Vector = tuple[float, float, float]

# Widgets that name a model file; files that run.py writes by itself begin with OURS.
LOADERS = {
    "CLIPLoader": ("clip_name",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "ControlNetLoader": ("control_net_name",),
    "DualCLIPLoader": ("clip_name1", "clip_name2"),
    "LoadDiffusersText": ("folder",),
    "LoadDiffusersUNet": ("folder",),
    "UNETLoader": ("unet_name",),
    "VAELoader": ("vae_name",),
}
OURS = "synctweedies_"
EDITED = "from the picture on"
TEXTS = ("CLIPTextEncode", "ViewPrompts")
SAMPLERS = ("SyncTweediesSampler", "SyncTweediesSamplerWrap")
SPACES = {"MeshSpace": "mesh", "SplatSpace": "splats", "VideoSpace": "video"}
TITLES = {
    "plane": "A wide picture",
    "panorama": "A panorama",
    "illusion": "One picture, two readings",
    "mesh": "A textured mesh",
    "splats": "Recoloured splats",
    "video": "A longer video",
}
# What a node tells of a workflow that is no published method.
MANNERS = {
    "InstructPixToPixConditioning": "InstructPix2Pix: each view reads its own part",
    "ReferenceLatent": "Flux Kontext: each view reads its own part",
    "SyncTweediesUpscale": "through both stages of DeepFloyd IF",
}


@dataclass(frozen=True)
class Facts:
    """name: the workflow's. title, source: whose method it is, or what it makes. kind: the space. sizes: of the canvas
    in pixels, pass by pass. view: of a view, in the last pass. count: views. offset: from one window to the next. warp:
    of an illusion's second reading. words: what it is told. given: (what, file) that go in. files: (what, name) of
    models to load. process, aside: what is averaged, and what acts beside it."""

    name: str
    title: str
    source: str
    kind: str
    sizes: tuple[tuple[int, int], ...]
    view: tuple[int, int]
    count: int
    offset: int
    warp: str
    words: tuple[str, ...]
    given: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...]
    process: str
    aside: str

    def text(self) -> str:
        return "\n".join(f"{field.name}: {getattr(self, field.name)}" for field in fields(self))


class Reader:
    """A workflow, asked."""

    def __init__(self, name: str) -> None:
        self.name, self.graph = name, Graph(name)
        self.nodes = [node for node in self.graph.data["nodes"] if node.get("mode", 0) == 0]

    def all(self, *kinds: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(node, its widgets) of these types."""
        for node in sorted(self.nodes, key=lambda n: n["order"]):
            if node["type"] in kinds:
                yield node, widget_values(node)

    def has(self, kind: str) -> bool:
        return any(node["type"] == kind for node in self.nodes)

    def before(self, node: dict[str, Any], name: str) -> dict[str, Any] | None:
        """What is wired to an input."""
        number = next((item["link"] for item in node.get("inputs", []) if item["name"] == name), None)
        for link in self.graph.data["links"]:
            if link[0] == number:
                return next((n for n in self.nodes if n["id"] == link[1]), None)
        return None

    def after(self, node: dict[str, Any]) -> list[str]:
        """Types of the nodes that a node's outputs go to."""
        targets = {link[3] for link in self.graph.data["links"] if link[1] == node["id"]}
        return [n["type"] for n in self.nodes if n["id"] in targets]

    def text_node(self, node: dict[str, Any] | None) -> dict[str, Any] | None:
        """Up the wires of a positive prompt, to where its text stands."""
        while node is not None and node["type"] not in TEXTS:
            names = [item["name"] for item in node.get("inputs", [])]
            node = self.before(node, next((n for n in ("positive", "conditioning") if n in names), ""))
        return node

    def words(self) -> tuple[str, ...]:
        framed = next((w for _, w in self.all("IllusionPrompts")), None)
        if framed is not None:
            said = [w[k] for _, w in self.all("IllusionRig", "IllusionHybrid") for k in w if k.endswith("prompt")]
            return tuple(f"{framed['prefix']} {text} {framed['suffix']}".strip() for text in said if text)
        for node, _ in self.all(*SAMPLERS, "SyncEditGuider", "CFGGuider"):
            if (found := self.text_node(self.before(node, "positive"))) is not None:
                said = widget_values(found)
                if found["type"] == "CLIPTextEncode":
                    return (said["text"],)
                others = [line for line in said["prompts"].splitlines() if line.startswith("*:")]
                return (said["prefix"].strip(" ,") or (others or [said["prompts"]])[0].removeprefix("*:").strip(),)
        return ()

    def given(self) -> tuple[tuple[str, str], ...]:
        """(what it is, file) of what goes in beside words."""
        found = [("mesh", w["file"]) for _, w in self.all("SyncTweediesLoadMesh")]
        found += [("splats", w["file"]) for _, w in self.all("SyncTweediesLoadSplats")]
        for node, widgets in self.all("LoadImage"):
            depth = "PanoramaDepthViews" in self.after(node)
            found.append(("depth map" if depth else "picture", widgets["image"]))
        return tuple(found)

    def files(self) -> tuple[tuple[str, str], ...]:
        """(what it is, name) of the model files that a user brings."""
        found: dict[str, str] = {}
        for node, widgets in self.all(*LOADERS):
            for key in LOADERS[node["type"]]:
                if not widgets[key].startswith(OURS):
                    found.setdefault(widgets[key], "depth" if node["type"] == "ControlNetLoader" else "model")
        return tuple((kind, name) for name, kind in found.items())

    def kind(self) -> str:
        spaces = [SPACES[node["type"]] for node, _ in self.all(*SPACES)]
        return spaces[0] if spaces else next(w["kind"] for _, w in self.all("CanonicalSpace"))

    def sizes(self) -> tuple[tuple[int, int], ...]:
        found = [(w["width"], w["height"]) for _, w in self.all("CanonicalSpace")]
        found += [(w["texture_size"],) * 2 for _, w in self.all("MeshSpace")]
        found += [(w["width"], w["height"]) for _, w in self.all("VideoSpace")]
        return tuple(sorted(found))

    def views(self) -> tuple[tuple[int, int], int, int]:
        """(Size of a view, how many, from one to the next in pixels where they are windows), in the last pass."""
        if self.kind() == "illusion":
            return self.sizes()[-1], len(self.words()), 0
        if self.kind() == "video":
            starts = self.clips()[2]
            return self.sizes()[-1], len(starts), starts[-1] - starts[-2] if len(starts) > 1 else 0
        rig = max((w for _, w in self.all("ViewRig", "OrbitRig")), key=lambda w: w["width"])
        size = rig["width"], rig["height"]
        if rig["kind"] == "windows":
            step = rig["pixels"] if rig["spacing"] == "stride" else rig["width"] - rig["pixels"]
            spaces = [w for _, w in self.all("CanonicalSpace")]
            wraps = [bool(spaces and spaces[-1][name]) for name in ("wrap_x", "wrap_y")]
            counts = [
                ceil(side / step) if around else ceil(max(0, side - own) / step) + 1
                for side, own, around in zip(self.sizes()[-1], size, wraps, strict=True)
            ]
            return size, counts[0] * counts[1], step
        looks, directions = self.rig()
        return size, len(looks) or len(directions), 0

    def rig(self) -> tuple[tuple[Look, ...], tuple[Vector, ...]]:
        """(Where cameras within a sphere look, where cameras around an object stand); one of them is empty."""
        for _, rig in self.all("ViewRig", "OrbitRig"):
            if rig["kind"] == "sphere":
                return sphere(rig["fov"], rig["view_overlap"]), ()
            tops = ((0.0, 30.0), (180.0, 30.0)) if rig.get("top_cameras") else ()
            if rig["kind"] == "orbit":
                found = orbit(step=rig["azimuth_step"], elevations=elevations_of(rig["elevations"]), tops=tops)
            elif rig["kind"] == "orbit_sphere":
                found = orbit_sphere(rig["views"])
            else:
                raise ValueError(f"{self.name}: a rig of kind {rig['kind']} has no drawing yet; see Reader.rig")
            return (), tuple(viewpoint.position for viewpoint in found)
        return (), ()

    def clips(self) -> tuple[int, int, tuple[int, ...]]:
        """(Frames of a video, of a clip, where clips begin)."""
        (_, video), (_, clip) = next(self.all("VideoSpace")), next(self.all("VideoClips"))
        rig = Clips(clip["length"], clip["overlap"], clip["frames_per_latent"])
        placed = placed_clips(Video(video["width"], video["height"], video["frames"], video["loop"]), rig, 1)
        return video["frames"], rig.length, tuple(start * rig.joined for start in placed.starts)

    def warp(self) -> str:
        """The last reading's."""
        found = [w.get("warp") or w["kind"] for _, w in self.all("IllusionRig", "IllusionHybrid")]
        return found[-1] if found else ""

    def process(self) -> str:
        """What the process widget says, without the number and the name; nothing where no step is averaged."""
        if any(w["walk"] == "random" for _, w in self.all("SyncEdit")):
            return ""
        label = [w["process"] for _, w in self.all(*SAMPLERS)][-1]
        return label.lstrip("0123456789 ").split(" (")[0] if label[0].isdigit() else label.split("(")[-1].rstrip(")")

    def aside(self) -> str:
        """What acts beside the average; of clips, how long they are."""
        if self.kind() == "video":
            frames, length, _ = self.clips()
            return f"{length} of {frames} frames each"
        for _, widgets in self.all("SyncVisits"):
            if widgets["policy"] == "turning" and widgets["overlap"] == 0:
                (width, height), (wide, high) = self.sizes()[-1], self.views()[0]
                return f"{ceil(width / wide) * ceil(height / high)} side by side"
        for node, widgets in self.all("SyncEdit", "SyncCoherence", "StructureLock", "CrossViewAttention"):
            if node["type"] == "SyncEdit" and widgets["walk"] == "random":
                return f"{widgets['batch']} at a time, at random"
            return {
                "SyncEdit": EDITED,
                "SyncCoherence": "drawn to one scene",
                "StructureLock": "the drawing is held",
                "CrossViewAttention": "views see each other",
            }[node["type"]]
        return ""


def facts(name: str) -> Facts:
    """What a diagram shows of a workflow."""
    reader = Reader(name)
    kind = reader.kind()
    method = next((m for m in PRESETS if m.workflow == name), None)
    changed = " changed by words" if "picture" in dict(reader.given()) else ""
    manner = next((text for key, text in MANNERS.items() if reader.has(key)), "")
    size, count, offset = reader.views()
    return Facts(
        name=name,
        title=method.name if method else TITLES[kind] + changed,
        source=method.source if method else manner,
        kind=kind,
        sizes=reader.sizes(),
        view=size,
        count=count,
        offset=offset,
        warp=reader.warp(),
        words=reader.words(),
        given=reader.given(),
        files=reader.files(),
        process=reader.process(),
        aside=reader.aside(),
    )


def clips_of(name: str) -> tuple[int, int, tuple[int, ...]]:
    """Reader.clips of a workflow."""
    return Reader(name).clips()


def rig_of(name: str) -> tuple[tuple[Look, ...], tuple[Vector, ...]]:
    """Reader.rig of a workflow."""
    return Reader(name).rig()
