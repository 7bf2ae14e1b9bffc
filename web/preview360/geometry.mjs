// Where a viewer looks: azimuth to the right, elevation upwards, field of view over the width; degrees.
// Directions are those of the pack: azimuth a, elevation e is (cos e sin a, sin e, -cos e cos a).
import { RADIAN, clamp, wrapped } from "../viewer/angles.mjs";

export { wrapped };
export const START = Object.freeze({ azimuth: 0, elevation: 0, fov: 90 });
export const NARROWEST = 10;
export const WIDEST = 120;

/** The nine numbers that make a direction of a place in the frame (x to the right, y up, both -1 to 1): columns for
 * x, for y, and the axis. */
export function camera(look, width, height) {
  const a = look.azimuth * RADIAN;
  const e = look.elevation * RADIAN;
  const reach = Math.tan((look.fov * RADIAN) / 2);
  const tall = (reach * height) / width;
  const [sa, ca, se, ce] = [Math.sin(a), Math.cos(a), Math.sin(e), Math.cos(e)];
  return [reach * ca, 0, reach * sa, -tall * se * sa, tall * ce, tall * se * ca, ce * sa, se, -ce * ca];
}

/** Direction through a place of a frame in pixels, the first pixel's centre at 0.5; depth 1 along the axis. */
export function ray(look, x, y, width, height) {
  const m = camera(look, width, height);
  const [right, up] = [(2 * x) / width - 1, 1 - (2 * y) / height];
  return [0, 1, 2].map((i) => right * m[i] + up * m[3 + i] + m[6 + i]);
}

/** Sixteen numbers, column by column: direction, of any length, -> clip space of WebGL. */
export function projection(look, width, height) {
  const m = camera(look, width, height);
  const squares = [0, 3].map((at) => m[at] ** 2 + m[at + 1] ** 2 + m[at + 2] ** 2);
  return [0, 1, 2].flatMap((i) => [m[i] / squares[0], m[3 + i] / squares[1], 0, m[6 + i]]).concat([0, 0, 0, 0]);
}

/** Place in a frame that a direction is seen at, pixels, and its depth; null for what is behind. */
export function placed(look, way, width, height) {
  const m = projection(look, width, height);
  const [x, y, , depth] = [0, 1, 2, 3].map((row) => m[row] * way[0] + m[4 + row] * way[1] + m[8 + row] * way[2]);
  return depth > 1e-3 ? { x: ((1 + x / depth) * width) / 2, y: ((1 - y / depth) * height) / 2, depth } : null;
}

/** Azimuth and elevation of a direction. */
export function angles([x, y, z]) {
  return { azimuth: Math.atan2(x, -z) / RADIAN, elevation: Math.atan2(y, Math.hypot(x, z)) / RADIAN };
}

/** The angle that a pixel in the middle of the frame covers, radians. */
export function pixelAngle(look, width) {
  return (2 * Math.tan((look.fov * RADIAN) / 2)) / width;
}

export function turned(look, right, up) {
  const elevation = clamp(look.elevation + up, -90, 90);
  return { ...look, azimuth: wrapped(look.azimuth + right), elevation };
}

/** The picture follows a pointer that moved by pixels (right, down) in a frame of that width. */
export function dragged(look, right, down, width) {
  const degrees = pixelAngle(look, width) / RADIAN;
  return turned(look, -right * degrees, down * degrees);
}

/** factor above 1 sees more. */
export function zoomed(look, factor) {
  return { ...look, fov: clamp(look.fov * factor, NARROWEST, WIDEST) };
}
