// The viewer of splats.
import { SharedDrawer } from "../viewer/shared.mjs";
import { HINT, OrbitViewer, RIG_HINT } from "../viewer/orbit_viewer.mjs";
import { fill } from "../viewer/words.mjs";
import { Cloud } from "./cloud.mjs";
import { readScene } from "./scene.mjs";

const WORDS = {
  name: "splats",
  hint: `${HINT} · F: full screen${RIG_HINT}`,
  choice: "Which scene.",
  lost: "The splats are no longer in the temp folder; run the workflow again.",
  without: "No 3D",
  tooltip: "Azimuth and elevation that they are seen from, distance in radii of the scene; number of splats.",
};

const SHARED = new SharedDrawer((canvas) => new Cloud(canvas));

export class Panel extends OrbitViewer {
  constructor(parent) {
    super(parent, WORDS);
  }

  get shared() {
    return SHARED;
  }

  prepare(drawer) {
    drawer.lines.load(this.rig.lines);
  }

  async fetch(scene) {
    const answer = await fetch(scene.url);
    if (!answer.ok) throw new Error(answer.statusText);
    return { ...scene, ...readScene(await answer.arrayBuffer(), scene) };
  }

  told() {
    return `${this.where()} · ${fill("# splats", this.item.count.toLocaleString("en"))}`;
  }
}
