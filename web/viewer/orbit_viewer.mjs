// A viewer that goes around an object: in object units, its middle the origin, its radius 1.
import { START, SIDES, clip, dragged, eye, from, panned, standing, turned, zoomed } from "./orbit.mjs";
import { reachOf } from "./lines.mjs";
import { Viewer } from "./viewer.mjs";
import { fill } from "./words.mjs";

const STEP = 15; // degrees a key turns
const MOVE = 1 / 12; // of the frame a key moves
const HIDES = 0.55; // an object hides what lies behind a ball of that radius, about

export const HINT = "drag: turn · right or shift and drag: move · scroll: zoom · double click: reset · arrows, + and -, "
  + "1 to 6: keys";
export const RIG_HINT = " · a number, C: stand in a view · V: views";

export class OrbitViewer extends Viewer {
  constructor(parent, words) {
    super(parent, words, START);
    this.stage.addEventListener("contextmenu", (event) => event.preventDefault()); // the right button moves
  }

  take(outlines) {
    super.take(outlines);
    // Far enough for all cameras; a view that was chosen stays.
    const start = { ...START, distance: START.distance * reachOf(outlines) };
    if (this.look === this.start) this.look = start;
    this.start = start;
  }

  project(point, width, height) {
    const [x, y, , w] = clip(this.look, point, width, height);
    if (w < 1e-3) return null;
    const stand = eye(this.look);
    const way = point.map((v, i) => v - stand[i]);
    const length = Math.hypot(...way) || 1;
    const along = -stand.reduce((sum, v, i) => sum + (v * way[i]) / length, 0); // to where the middle is nearest
    const beside = Math.hypot(...stand.map((v, i) => v + (way[i] / length) * along));
    return {
      x: ((1 + x / w) * width) / 2, y: ((1 - y / w) * height) / 2, depth: w,
      faint: along > 0 && length > along && beside < HIDES,
    };
  }

  stand({ stand, number }) {
    this.stood = standing(stand);
    this.standing = number;
    this.turnTo(this.stood);
  }

  where() {
    const { azimuth, elevation, distance } = this.look;
    const at = this.look === this.stood ? [fill("in view #", this.standing)] : [];
    const view = fill("view #", `${Math.round(azimuth)}°, ${Math.round(elevation)}°`);
    return [...at, view, fill("distance #", distance.toFixed(2))].join(" · ");
  }

  file() {
    return `${this.words.name}_${Math.round(this.look.azimuth)}_${Math.round(this.look.elevation)}.png`;
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
      ...Object.fromEntries(SIDES.map((_, number) => side(number))),
    };
  }
}
