// Degrees and limits that all viewers share.

export const RADIAN = Math.PI / 180;

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Azimuth in (-180, 180]. */
export function wrapped(azimuth) {
  const turns = azimuth - 360 * Math.floor(azimuth / 360);
  return turns > 180 ? turns - 360 : turns;
}
