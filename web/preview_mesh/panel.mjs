// The viewer of meshes.
import { SharedDrawer } from "../viewer/shared.mjs";
import { Viewer } from "../viewer/viewer.mjs";
import { readGlb } from "./glb.mjs";
import { START, SIDES, dragged, from, panned, turned, zoomed } from "./orbit.mjs";
import { Solid } from "./solid.mjs";

const WORDS = {
  name: "mesh",
  hint: "drag: turn · right or shift and drag: move · scroll: zoom · double click: reset · arrows, + and -, 1 to 6: keys "
    + "· L: light · F: full screen",
  choice: "Which mesh.",
  lost: "The mesh is no longer in the temp folder; run the workflow again.",
  without: "No 3D",
  tooltip: "Azimuth and elevation that it is seen from, distance in radii of the object; number of triangles.",
};
const STEP = 15; // degrees a key turns
const MOVE = 1 / 12; // of the frame a key moves

const SHARED = new SharedDrawer((canvas) => new Solid(canvas));

export class Panel extends Viewer {
  constructor(parent) {
    super(parent, WORDS, START);
    this.lamp = this.button("Light", "Light it, or show the colours as they are (L).", () => this.light());
    this.lamp.setAttribute("aria-pressed", "true");
    this.saver.before(this.lamp);
    this.stage.addEventListener("contextmenu", (event) => event.preventDefault()); // the right button moves
  }

  get shared() {
    return SHARED;
  }

  prepare(drawer) {
    drawer.lit = this.lit;
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
    const { azimuth, elevation, distance } = this.look;
    const count = this.item.faces.toLocaleString("en");
    return `view ${Math.round(azimuth)}°, ${Math.round(elevation)}° · distance ${distance.toFixed(2)} · ${count} triangles`;
  }

  file() {
    return `mesh_${Math.round(this.look.azimuth)}_${Math.round(this.look.elevation)}.png`;
  }

  held(event) {
    if (event.button === 2 || (event.button === 0 && event.shiftKey)) return "move";
    return event.button === 0 && "turn";
  }

  dragged(how, ...rest) {
    return how === "move" ? panned(...rest) : dragged(...rest);
  }

  zoomed(factor) {
    return zoomed(this.look, factor);
  }

  keys(shift) {
    const turn = (right, up) => () => {
      this.turnTo(shift ? panned(this.look, -right * MOVE, up * MOVE, 1, 1) : turned(this.look, right * STEP, up * STEP));
    };
    const side = (number) => [String(number + 1), () => this.turnTo(from(this.look, number))];
    return {
      ArrowLeft: turn(-1, 0), ArrowRight: turn(1, 0), ArrowUp: turn(0, 1), ArrowDown: turn(0, -1),
      l: () => this.light(),
      ...Object.fromEntries(SIDES.map((_, number) => side(number))),
    };
  }
}
