// Where a viewer stands around an object, in object units: its middle is the origin, its radius 1. Degrees.
// The camera of azimuth a and elevation e stands at target + d (cos e sin a, sin e, cos e cos a), as the pack's rigs do:
// azimuth 0 sees the front, the +Z side. The field of view is that of the frame's shorter side.
import { RADIAN, clamp, wrapped } from "../viewer/angles.mjs";

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

/** Half of what a frame shows at depth 1: [across, upwards]. */
export function halves(width, height) {
  const side = Math.min(width, height);
  return [(REACH * width) / side, (REACH * height) / side];
}

/** Sixteen numbers, column by column: object -> clip space of WebGL. */
export function projection(look, width, height) {
  const { right, up, back } = axes(look);
  const stand = eye(look);
  const middle = dot(back, stand); // depth of the object's middle: nothing of it is 1 nearer or farther
  const near = Math.max(0.99 * (middle - 1), 0.005 * Math.min(1, look.distance));
  const far = Math.max(1.01 * (middle + 1), 2 * near);
  const [across, tall] = halves(width, height);
  const depth = [-(far + near) / (far - near), (-2 * far * near) / (far - near)];
  const rows = [
    [...right.map((v) => v / across), -dot(right, stand) / across],
    [...up.map((v) => v / tall), -dot(up, stand) / tall],
    [...back.map((v) => v * depth[0]), -dot(back, stand) * depth[0] + depth[1]],
    [...back.map((v) => -v), dot(back, stand)],
  ];
  return [0, 1, 2, 3].flatMap((column) => rows.map((row) => row[column]));
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
  const pixel = (2 * look.distance * REACH) / Math.max(1, Math.min(width, height));
  const way = axes(look);
  const target = sum(sum(look.target, way.right, -right * pixel), way.up, down * pixel);
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
