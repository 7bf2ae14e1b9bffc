// The viewer of panoramas.
import { SharedDrawer } from "../viewer/shared.mjs";
import { Viewer } from "../viewer/viewer.mjs";
import { START, angles, dragged, placed, ray, turned, zoomed } from "./geometry.mjs";
import { Sphere } from "./sphere.mjs";
import { fill } from "../viewer/words.mjs";

const WORDS = {
  name: "panorama",
  hint: "drag: look · scroll: zoom · double click: reset · arrows, + and -: keys · F: full screen · a number, C: look at "
    + "that view · V: views",
  choice: "Which picture of the batch.",
  lost: "The picture is no longer in the temp folder; run the workflow again.",
  without: "Shown flat",
  tooltip: "Azimuth and elevation of the middle, field of view, direction under the pointer.",
};

const degrees = (value) => `${Math.round(value)}°`;
const way = ({ azimuth, elevation }) => `${degrees(azimuth)}, ${degrees(elevation)}`;

const SHARED = new SharedDrawer((canvas) => new Sphere(canvas));

export class Panel extends Viewer {
  constructor(parent) {
    super(parent, WORDS, START);
    this.flat = this.layer("img", { objectFit: "contain" }, { draggable: false });
  }

  get shared() {
    return SHARED;
  }

  prepare(drawer) {
    drawer.lines.load(this.rig.lines);
  }

  project(way, width, height) {
    return placed(this.look, way, width, height);
  }

  stand({ label, number }) {
    this.stood = { ...this.look, ...angles(label) };
    this.standing = number;
    this.turnTo(this.stood);
  }

  async fetch(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image;
  }

  use() {
    super.use();
    if (this.problem) this.flat.src = this.item.src;
    this.flat.style.visibility = this.problem ? "" : "hidden";
  }

  told() {
    const at = this.look === this.stood ? [fill("at view #", this.standing)] : [];
    const pointed = this.under ? [fill("pointer #", way(this.under))] : [];
    return [...at, fill("view #, # wide", way(this.look), degrees(this.look.fov)), ...pointed].join(" · ");
  }

  file() {
    const { azimuth, elevation, fov } = this.look;
    return `view_${Math.round(azimuth)}_${Math.round(elevation)}_${Math.round(fov)}.png`;
  }

  pointed(event) {
    this.under = event && angles(ray(this.look, ...this.place(event)));
  }

  held(event) {
    return event.button === 0 && "look";
  }

  dragged(_, look, right, down, width) {
    return dragged(look, right, down, width);
  }

  zoomed(factor) {
    return zoomed(this.look, factor);
  }

  keys() {
    const step = this.look.fov / 6;
    const turn = (right, up) => () => this.turnTo(turned(this.look, right, up));
    return { ArrowLeft: turn(-step, 0), ArrowRight: turn(step, 0), ArrowUp: turn(0, step), ArrowDown: turn(0, -step) };
  }
}
