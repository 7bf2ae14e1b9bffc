// A GLB file -> pieces of surface, ready for the graphics card (Khronos, "glTF 2.0 Specification", 3 and 4.4).
// Read: triangles with positions, normals, first texture coordinates, vertex colours; base colour and its texture in the
// file; node transforms. The rest pose of animated files. What cannot be read is refused with a line.
import { IDENTITY, cofactors, mirrors, times, transformOf } from "./nodes.mjs";

const ARRAYS = {
  5120: Int8Array, 5121: Uint8Array, 5122: Int16Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array,
};
const WIDTHS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };
const LARGEST = { 5120: 127, 5121: 255, 5122: 32767, 5123: 65535, 5125: 4294967295 };
const READ = /^(KHR_mesh_quantization|EXT_texture_webp|KHR_materials_.*|KHR_lights_.*|KHR_xmp.*)$/;
const MODES = { 4: (indices) => indices, 5: strip, 6: fan };
const BROKEN = "the file is cut off or damaged";

/** An Error whose words are for the user. */
function refusal(text) {
  return Object.assign(new Error(text), { shown: `The mesh cannot be shown: ${text}.` });
}

/**
 * ArrayBuffer -> { pieces, pictures, centre, radius, faces }.
 *
 * pieces: positions [3 a vertex], normals [3] or null, uvs [2, from the top left] or null, colours [4] or null, all
 * Float32Array in world coordinates; indices Uint32Array; material. Pieces that share vertices share the arrays.
 * material: colour (RGBA, linear light), picture (index, or -1), wrap (two names), nearest, alpha (OPAQUE, MASK, BLEND),
 * cutoff. pictures: Blobs. centre and radius: middle of the box around what faces use, largest distance from it.
 */
export function readGlb(buffer) {
  const { tree, body } = chunks(buffer);
  for (const name of tree.extensionsRequired ?? []) {
    if (!READ.test(name)) throw refusal(`it needs the glTF extension ${name}`);
  }
  const reader = new Reader(tree, body);
  const pieces = [];
  for (const [mesh, world] of placed(tree)) {
    const shared = new Map(); // arrays of this mesh at this place
    for (const primitive of mesh.primitives ?? []) {
      const piece = reader.piece(primitive, world, shared);
      if (piece) pieces.push(piece);
    }
  }
  if (!pieces.length) throw refusal("it holds no triangles");
  const faces = pieces.reduce((sum, piece) => sum + piece.indices.length / 3, 0);
  return { pieces, pictures: reader.pictures(), faces, ...bounds(pieces) };
}

function chunks(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 20 || view.getUint32(0, true) !== 0x46546c67) throw refusal("it is no GLB file");
  if (view.getUint32(4, true) !== 2) throw refusal("it is no glTF 2.0 file");
  const length = view.getUint32(8, true);
  if (length > buffer.byteLength) throw refusal(BROKEN);
  let [tree, body] = [null, new ArrayBuffer(0)];
  for (let at = 12; at + 8 <= length; ) {
    const [size, kind] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    if (at + 8 + size > length) throw refusal(BROKEN);
    const chunk = buffer.slice(at + 8, at + 8 + size);
    if (kind === 0x4e4f534a) tree ??= parsed(chunk);
    else if (kind === 0x004e4942 && !body.byteLength) body = chunk;
    // Some writers pad chunks to 4 bytes and do not count the padding.
    const [end, padded] = [at + 8 + size, at + 8 + size + ((4 - (size % 4)) % 4)];
    at = !binary(view, end) && binary(view, padded) ? padded : end;
  }
  if (!tree) throw refusal(BROKEN);
  return { tree, body };
}

/** Whether a binary chunk begins there. */
const binary = (view, at) => at + 8 <= view.byteLength && view.getUint32(at + 4, true) === 0x004e4942;

function parsed(chunk) {
  try {
    return JSON.parse(new TextDecoder().decode(chunk));
  } catch {
    throw refusal(BROKEN);
  }
}

/** [mesh, world matrix] of every node of the scene that has a mesh. */
function placed(tree) {
  const nodes = tree.nodes ?? [];
  const children = new Set(nodes.flatMap((node) => node.children ?? []));
  const roots = tree.scenes?.[tree.scene ?? 0]?.nodes ?? nodes.map((_, i) => i).filter((i) => !children.has(i));
  const found = [];
  let left = 10000 + 4 * nodes.length;
  const visit = (index, above, depth) => {
    const node = nodes[index];
    if (!node || depth > nodes.length) throw refusal(BROKEN);
    const world = times(above, transformOf(node));
    const mesh = node.mesh === undefined ? null : tree.meshes?.[node.mesh];
    if (mesh) found.push([mesh, world]);
    left -= node.children?.length ?? 0;
    if (left < 0) throw refusal(BROKEN); // nodes that are children of several others, many times over
    for (const child of node.children ?? []) visit(child, world, depth + 1);
  };
  for (const root of roots) visit(root, IDENTITY, 0);
  return found;
}

class Reader {
  constructor(tree, body) {
    this.tree = tree;
    this.body = body;
  }

  /** Bytes of a buffer view in an ArrayBuffer of their own, and its stride or 0. */
  view(index) {
    const view = this.tree.bufferViews?.[index];
    if (!view) throw refusal(BROKEN);
    if (view.buffer !== 0 || this.tree.buffers?.[0]?.uri) throw refusal("its data lie in another file");
    const start = view.byteOffset ?? 0;
    if (start + view.byteLength > this.body.byteLength) throw refusal(BROKEN);
    return { bytes: this.body.slice(start, start + view.byteLength), stride: view.byteStride ?? 0 };
  }

  /** Accessor -> { values, width }: integers as stored, or Float32Array where they are ``normalized``. */
  accessor(index) {
    const head = this.tree.accessors?.[index];
    const [Kind, width] = [ARRAYS[head?.componentType], WIDTHS[head?.type]];
    if (!Kind || !width || head.bufferView === undefined) throw refusal(BROKEN);
    if (head.sparse) throw refusal("it holds sparse data");
    const { bytes, stride } = this.view(head.bufferView);
    const [start, row] = [head.byteOffset ?? 0, width * Kind.BYTES_PER_ELEMENT];
    const step = stride || row;
    const { count } = head;
    if (!(count > 0) || step < row || start + step * (count - 1) + row > bytes.byteLength) throw refusal(BROKEN);
    let values;
    if (step === row) {
      values = new Kind(bytes.slice(start, start + row * count));
    } else {
      const tight = new Uint8Array(row * count);
      for (let i = 0; i < count; i++) tight.set(new Uint8Array(bytes, start + i * step, row), i * row);
      values = new Kind(tight.buffer);
    }
    if (!head.normalized || Kind === Float32Array) return { values, width };
    const largest = LARGEST[head.componentType];
    return { values: Float32Array.from(values, (v) => Math.max(v / largest, -1)), width };
  }

  piece(primitive, world, shared) {
    const { attributes = {} } = primitive;
    const build = MODES[primitive.mode ?? 4];
    if (!build || attributes.POSITION === undefined) return null; // points and lines have no surface
    const once = (name, make) => {
      if (attributes[name] === undefined) return null;
      const key = `${name} ${attributes[name]}`;
      if (!shared.has(key)) shared.set(key, make(this.accessor(attributes[name])));
      return shared.get(key);
    };
    const positions = once("POSITION", ({ values }) => moved(values, world));
    const count = positions.length / 3;
    const fits = (array, width) => {
      if (array && array.length !== width * count) throw refusal(BROKEN);
      return array;
    };
    const all = primitive.indices === undefined ? counted(count) : this.accessor(primitive.indices).values;
    const indices = build(Uint32Array.from(all));
    for (const index of indices) if (index >= count) throw refusal(BROKEN);
    if (!indices.length) return null;
    if (mirrors(world)) turnOver(indices);
    return {
      positions,
      normals: fits(once("NORMAL", ({ values }) => turned(values, world)), 3),
      uvs: fits(once("TEXCOORD_0", ({ values }) => Float32Array.from(values)), 2),
      colours: fits(once("COLOR_0", rgba), 4),
      indices: indices.subarray(0, indices.length - (indices.length % 3)),
      material: this.material(primitive.material),
    };
  }

  material(index) {
    const given = this.tree.materials?.[index] ?? {};
    const look = given.pbrMetallicRoughness ?? {};
    const texture = this.tree.textures?.[look.baseColorTexture?.index];
    const sampler = this.tree.samplers?.[texture?.sampler] ?? {};
    const wrap = (value) => ({ 33071: "CLAMP_TO_EDGE", 33648: "MIRRORED_REPEAT" })[value] ?? "REPEAT";
    return {
      colour: look.baseColorFactor ?? [1, 1, 1, 1],
      picture: texture?.extensions?.EXT_texture_webp?.source ?? texture?.source ?? -1,
      wrap: [wrap(sampler.wrapS), wrap(sampler.wrapT)],
      nearest: sampler.magFilter === 9728,
      alpha: given.alphaMode ?? "OPAQUE",
      cutoff: given.alphaCutoff ?? 0.5,
    };
  }

  pictures() {
    return (this.tree.images ?? []).map((image) => {
      if (image.bufferView === undefined) throw refusal("its textures lie in another file");
      return new Blob([this.view(image.bufferView).bytes], { type: image.mimeType });
    });
  }
}

const counted = (count) => Uint32Array.from({ length: count }, (_, i) => i);

function strip(indices) {
  const out = [];
  for (let i = 0; i + 2 < indices.length; i++) {
    const odd = i % 2;
    out.push(indices[i], indices[i + 1 + odd], indices[i + 2 - odd]);
  }
  return Uint32Array.from(out);
}

function fan(indices) {
  const out = [];
  for (let i = 1; i + 1 < indices.length; i++) out.push(indices[0], indices[i], indices[i + 1]);
  return Uint32Array.from(out);
}

/** The other side of every triangle outside. */
function turnOver(indices) {
  for (let i = 0; i + 2 < indices.length; i += 3) [indices[i], indices[i + 2]] = [indices[i + 2], indices[i]];
}

function rgba({ values, width }) {
  if (width === 4) return Float32Array.from(values);
  const out = new Float32Array((values.length / 3) * 4).fill(1);
  for (let i = 0; i < values.length / 3; i++) out.set(values.subarray(3 * i, 3 * i + 3), 4 * i);
  return out;
}

function moved(values, m) {
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i += 3) {
    const [x, y, z] = [values[i], values[i + 1], values[i + 2]];
    for (let k = 0; k < 3; k++) out[i + k] = m[k] * x + m[4 + k] * y + m[8 + k] * z + m[12 + k];
  }
  if (!out.every(Number.isFinite)) throw refusal("it has positions that are no numbers");
  return out;
}

/** Right for any scale; their length does not matter. */
function turned(values, world) {
  const m = cofactors(world);
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i += 3) {
    const [x, y, z] = [values[i], values[i + 1], values[i + 2]];
    for (let k = 0; k < 3; k++) out[i + k] = m[3 * k] * x + m[3 * k + 1] * y + m[3 * k + 2] * z;
  }
  return out;
}

function bounds(pieces) {
  const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
  const each = (act) => {
    for (const { positions, indices } of pieces) for (const index of indices) act(positions, 3 * index);
  };
  each((p, at) => {
    for (let k = 0; k < 3; k++) {
      if (p[at + k] < low[k]) low[k] = p[at + k];
      if (p[at + k] > high[k]) high[k] = p[at + k];
    }
  });
  const centre = low.map((value, k) => (value + high[k]) / 2);
  let square = 0;
  each((p, at) => {
    square = Math.max(square, (p[at] - centre[0]) ** 2 + (p[at + 1] - centre[1]) ** 2 + (p[at + 2] - centre[2]) ** 2);
  });
  return { centre, radius: Math.sqrt(square) || 1 };
}
