// Transforms of glTF nodes: 4 x 4 matrices, sixteen numbers column by column (glTF 2.0, 3.5.3).

export const IDENTITY = Object.freeze([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);

/** a after b. */
export function times(a, b) {
  return Array.from({ length: 16 }, (_, i) => {
    const [row, column] = [i % 4, i - (i % 4)];
    return a[row] * b[column] + a[4 + row] * b[column + 1] + a[8 + row] * b[column + 2] + a[12 + row] * b[column + 3];
  });
}

/** Of a node: its matrix, or translation after rotation (quaternion x, y, z, w) after scale. */
export function transformOf({ matrix, translation: t = [0, 0, 0], rotation = [0, 0, 0, 1], scale: s = [1, 1, 1] }) {
  if (matrix) return matrix;
  const [x, y, z, w] = rotation;
  const columns = [
    [1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)],
    [2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)],
    [2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)],
  ];
  return [...columns.flatMap((column, k) => [...column.map((v) => v * s[k]), 0]), ...t, 1];
}

/** Nine numbers, row by row: what normals are turned by where points are turned by m. */
export function cofactors(m) {
  const at = (row, column) => m[4 * (column % 3) + (row % 3)];
  return Array.from({ length: 9 }, (_, i) => {
    const [row, column] = [Math.floor(i / 3), i % 3];
    return at(row + 1, column + 1) * at(row + 2, column + 2) - at(row + 1, column + 2) * at(row + 2, column + 1);
  });
}

/** Whether it turns left into right, and a triangle's outside into its inside. */
export function mirrors(m) {
  const c = cofactors(m);
  return m[0] * c[0] + m[4] * c[1] + m[8] * c[2] < 0;
}
