// Where a viewer stands around an object, in object units: its middle is the origin, its radius 1. Degrees.
// The camera of azimuth a and elevation e stands at target + d (cos e sin a, sin e, cos e cos a), as the pack's rigs do:
// azimuth 0 sees the front, the +Z side. The field of view is that of the frame's shorter side.
// A look that stands in a view of a rig also has ``view``, half of what that shows across and upwards at depth 1, which
// then fills the frame, and ``shift``, where the axis meets the view, in halves of it.
import { RADIAN, clamp, wrapped } from "./angles.mjs";

export const FOV = 45;
// The whole object fits: 1 / sin(FOV / 2), and a little air.
export const START = Object.freeze({ azimuth: 30, elevation: 20, distance: 2.75, target: Object.freeze([0, 0, 0]) });
export const NEAREST = 0.05;
export const FARTHEST = 20;

// Sides by number key, as a walk around the object.
export const SIDES = Object.freeze([[0, 0], [90, 0], [180, 0], [-90, 0], [0, 90], [0, -90]]);

const REACH = Math.tan((FOV * RADIAN) / 2);

const sum = (a, b, times) => a.map((value, i) => value + times * b[i]);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** Unit vectors to the camera's right, up and back (from the target to it). */
export function axes({ azimuth, elevation }) {
  const [a, e] = [azimuth * RADIAN, elevation * RADIAN];
  const [sa, ca, se, ce] = [Math.sin(a), Math.cos(a), Math.sin(e), Math.cos(e)];
  return { right: [ca, 0, -sa], up: [-se * sa, ce, -se * ca], back: [ce * sa, se, ce * ca] };
}

export function eye(look) {
  return sum(look.target, axes(look).back, look.distance);
}

/** Of what is shown at depth 1, half of that on one pixel. */
function pixel({ view }, width, height) {
  return view ? Math.max(view[0] / width, view[1] / height) : REACH / Math.min(width, height);
}

/** Half of what a frame shows at depth 1: [across, upwards]. */
export function halves(look, width, height) {
  const each = pixel(look, width, height);
  return [each * width, each * height];
}

/** Where the axis meets the frame, in halves of it: [to the right, upwards]. */
export function shiftOf({ view, shift }, [across, tall]) {
  return view ? [(shift[0] * view[0]) / across, (shift[1] * view[1]) / tall] : [0, 0];
}

/** Sixteen numbers, column by column: object -> clip space of WebGL. reach: nothing lies farther from the middle. */
export function projection(look, width, height, reach = 1) {
  const { right, up, back } = axes(look);
  const stand = eye(look);
  const middle = dot(back, stand); // depth of the object's middle: nothing of it is ``reach`` nearer or farther
  const near = Math.max(0.99 * (middle - reach), 0.005 * Math.min(1, look.distance));
  const far = Math.max(1.01 * (middle + reach), 2 * near);
  const half = halves(look, width, height);
  const [aside, upwards] = shiftOf(look, half);
  const depth = [-(far + near) / (far - near), (-2 * far * near) / (far - near)];
  const ahead = [...back.map((v) => -v), middle];
  const rows = [
    [...right.map((v) => v / half[0]), -dot(right, stand) / half[0]].map((v, i) => v + aside * ahead[i]),
    [...up.map((v) => v / half[1]), -dot(up, stand) / half[1]].map((v, i) => v + upwards * ahead[i]),
    [...back.map((v) => v * depth[0]), -middle * depth[0] + depth[1]],
    ahead,
  ];
  return [0, 1, 2, 3].flatMap((column) => rows.map((row) => row[column]));
}

/** A point in clip space: [x, y, z, w]. */
export function clip(look, [x, y, z], width, height) {
  const m = projection(look, width, height);
  return [0, 1, 2, 3].map((row) => m[row] * x + m[4 + row] * y + m[8 + row] * z + m[12 + row]);
}

/** The look of a view's camera (see ``renderers/outlines.py``), upright: a rolled one is not rolled here. */
export function standing({ place, right, up, half, shift, flat }) {
  const back = [0, 1, 2].map((i) => right[(i + 1) % 3] * up[(i + 2) % 3] - right[(i + 2) % 3] * up[(i + 1) % 3]);
  const level = Math.hypot(back[0], back[2]);
  const elevation = Math.atan2(back[1], level) / RADIAN;
  // Straight above and below only the camera's right says which way it is turned.
  const steep = level < 1e-4;
  const azimuth = (steep ? Math.atan2(-right[2], right[0]) : Math.atan2(back[0], back[2])) / RADIAN;
  const distance = clamp(dot(place, back), NEAREST, FARTHEST); // it turns around what is beside the object's middle
  const look = { azimuth, elevation, distance };
  const target = sum(place, axes(look).back, -distance);
  return { ...look, target, view: half.map((v) => (flat ? v / distance : v)), shift };
}

export function turned(look, right, up) {
  return { ...look, azimuth: wrapped(look.azimuth + right), elevation: clamp(look.elevation + up, -90, 90) };
}

/** The object turns with a pointer that moved by pixels (right, down): half a turn over the frame's shorter side. */
export function dragged(look, right, down, width, height) {
  const degrees = 180 / Math.max(1, Math.min(width, height));
  return turned(look, -right * degrees, down * degrees);
}

/** What is at the target's depth follows a pointer that moved by pixels (right, down). */
export function panned(look, right, down, width, height) {
  const each = 2 * look.distance * pixel(look, width, height);
  const way = axes(look);
  const target = sum(sum(look.target, way.right, -right * each), way.up, down * each);
  const far = Math.hypot(...target);
  return { ...look, target: far > 2 ? target.map((v) => (2 * v) / far) : target };
}

/** factor above 1 goes farther away. */
export function zoomed(look, factor) {
  return { ...look, distance: clamp(look.distance * factor, NEAREST, FARTHEST) };
}

/** From a side, by its number in SIDES; distance and target stay. */
export function from(look, side) {
  const [azimuth, elevation] = SIDES[side];
  return { ...look, azimuth, elevation };
}
