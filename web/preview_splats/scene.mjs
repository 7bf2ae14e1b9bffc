// A .splat file, and the order in which its splats are drawn. 32 bytes a splat: place (three floats), size along its axes
// (three floats), colour and opacity (four bytes), turn (four bytes: w, x, y, z, 128 is 0).

export const ROW = 8; // words of four bytes

/**
 * ArrayBuffer -> { words, count, positions, reach }: the file's words, and places in object units (middle 0, radius 1,
 * +Y up), the farthest of which is ``reach`` from the middle: strays lie beyond the radius. axes: what the object's X, Y
 * and Z are in the file; centre and radius of the object there.
 */
export function readScene(buffer, { axes, centre, radius }) {
  const count = buffer.byteLength / (4 * ROW);
  if (!count || !Number.isInteger(count)) {
    throw Object.assign(new Error(), { shown: "The splats cannot be shown: the file is cut off or damaged." });
  }
  const [words, values] = [new Uint32Array(buffer), new Float32Array(buffer)];
  const positions = new Float32Array(3 * count);
  let square = 1;
  for (let i = 0; i < count; i++) {
    const x = (values[ROW * i] - centre[0]) / radius;
    const y = (values[ROW * i + 1] - centre[1]) / radius;
    const z = (values[ROW * i + 2] - centre[2]) / radius;
    for (let k = 0; k < 3; k++) positions[3 * i + k] = axes[k][0] * x + axes[k][1] * y + axes[k][2] * z;
    if (x * x + y * y + z * z > square) square = x * x + y * y + z * z;
  }
  return { words, count, positions, reach: Math.sqrt(square) };
}

const LEVELS = 65536;
const EXACTLY = 1 - 1e-7; // but for rounding

/** Splats from the farthest to the nearest along a direction that points to the viewer: a counting sort by 16 bits. */
export class Order {
  constructor(positions) {
    this.positions = positions;
    const count = positions.length / 3;
    this.indices = new Uint32Array(count);
    this.depths = new Float32Array(count);
    this.keys = new Uint16Array(count);
    this.starts = new Uint32Array(LEVELS + 1);
    this.along = null;
  }

  /** Indices in order; false where they stay as they were: the direction hardly changed (cosine above ``same``). */
  sort([x, y, z], same = EXACTLY) {
    const { along } = this;
    if (along && (along[0] * x + along[1] * y + along[2] * z >= same)) return false;
    this.along = [x, y, z];
    const { positions, indices, depths, keys, starts } = this;
    const count = indices.length;
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < count; i++) {
      const depth = x * positions[3 * i] + y * positions[3 * i + 1] + z * positions[3 * i + 2];
      depths[i] = depth;
      if (depth < low) low = depth;
      if (depth > high) high = depth;
    }
    const scale = high > low ? (LEVELS - 1) / (high - low) : 0;
    starts.fill(0);
    for (let i = 0; i < count; i++) {
      const key = (depths[i] - low) * scale;
      keys[i] = key;
      starts[keys[i] + 1]++;
    }
    for (let level = 1; level <= LEVELS; level++) starts[level] += starts[level - 1];
    for (let i = 0; i < count; i++) indices[starts[keys[i]]++] = i;
    return true;
  }
}
