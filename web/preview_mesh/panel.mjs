// The viewer of meshes.
import { SharedDrawer } from "../viewer/shared.mjs";
import { HINT, OrbitViewer, RIG_HINT } from "../viewer/orbit_viewer.mjs";
import { fill } from "../viewer/words.mjs";
import { readGlb } from "./glb.mjs";
import { Solid } from "./solid.mjs";

const WORDS = {
  name: "mesh",
  hint: `${HINT} · L: light · F: full screen${RIG_HINT}`,
  choice: "Which mesh.",
  lost: "The mesh is no longer in the temp folder; run the workflow again.",
  without: "No 3D",
  tooltip: "Azimuth and elevation that it is seen from, distance in radii of the object; number of triangles.",
};

const SHARED = new SharedDrawer((canvas) => new Solid(canvas));

export class Panel extends OrbitViewer {
  constructor(parent) {
    super(parent, WORDS);
    this.lamp = this.button("Light", "Light it, or show the colours as they are (L).", () => this.light());
    this.lamp.setAttribute("aria-pressed", "true");
    this.saver.before(this.lamp);
  }

  get shared() {
    return SHARED;
  }

  prepare(drawer) {
    drawer.lit = this.lit;
    drawer.lines.load(this.rig.lines);
  }

  async fetch(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(answer.statusText);
    const model = readGlb(await answer.arrayBuffer());
    const decode = (blob) => createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
    model.bitmaps = await Promise.all(model.pictures.map(decode)).catch(() => {
      throw Object.assign(new Error(), { shown: "The mesh cannot be shown: its texture is no picture." });
    });
    return model;
  }

  use() {
    super.use();
    if (this.last !== this.item) this.drop();
    this.last = this.item;
  }

  /** Pictures of the model that was shown before. */
  drop() {
    this.last?.bitmaps.forEach((bitmap) => bitmap.close());
  }

  remove() {
    super.remove();
    this.drop();
  }

  get lit() {
    return this.lamp.getAttribute("aria-pressed") === "true";
  }

  light() {
    this.lamp.setAttribute("aria-pressed", String(!this.lit));
    this.lamp.style.opacity = this.lit ? "" : "0.6";
    this.redraw();
  }

  told() {
    return `${this.where()} · ${fill("# triangles", this.item.faces.toLocaleString("en"))}`;
  }

  keys(shift) {
    return { ...super.keys(shift), l: () => this.light() };
  }
}
