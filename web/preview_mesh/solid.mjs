// Draws a mesh: base colour, lit from the camera and from the sky, or as it is; from both sides.
// Colours are mixed in linear light: textures are decoded by the graphics card, pixels encoded at the end.
import { context, fitting, free, program, resized } from "../viewer/gl.mjs";
import { Lines } from "../viewer/lines.mjs";
import { eye, projection } from "../viewer/orbit.mjs";

const CORNERS = `#version 300 es
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec2 uv;
layout(location = 3) in vec4 colour;
uniform mat4 view;
uniform vec4 place;       // middle of the object, 1 / its radius
out vec3 at;              // object units
out vec3 facing;
centroid out vec2 texel; // never outside the triangle: a chart may end there
out vec4 tint;
void main() {
  at = (position - place.xyz) * place.w;
  facing = normal;
  texel = uv;
  tint = colour;
  gl_Position = view * vec4(at, 1.0);
}`;

const PIXELS = `#version 300 es
precision highp float;
uniform sampler2D picture;
uniform vec4 base;
uniform vec2 kept;        // opacity from, and below
uniform float opaque;
uniform vec3 stand;       // the camera's place
uniform float lit;
in vec3 at;
in vec3 facing;
centroid in vec2 texel;
in vec4 tint;
out vec4 seen;

vec3 encoded(vec3 light) {
  light = clamp(light, 0.0, 1.0);
  return mix(12.92 * light, 1.055 * pow(light, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, light));
}

vec3 unit(vec3 way) { return way / max(length(way), 1e-12); }

float light() {
  vec3 ray = unit(stand - at);
  vec3 face = cross(dFdx(at), dFdy(at));
  face = unit(dot(face, ray) < 0.0 ? -face : face);
  vec3 normal = dot(facing, facing) > 0.0 ? unit(facing) : face;
  if (dot(normal, face) < 0.0) normal = -normal; // the side that is seen
  return mix(0.22, 0.5, 0.5 + 0.5 * normal.y) + 0.62 * max(dot(normal, ray), 0.0);
}

void main() {
  vec4 here = texture(picture, texel) * base * tint;
  float shade = light();
  if (here.a < kept.x || here.a >= kept.y) discard;
  seen = vec4(encoded(here.rgb * mix(1.0, shade, lit)), max(here.a, opaque));
}`;

export const BACKGROUND = [0.3, 0.3, 0.3];
const UNIFORMS = ["view", "place", "base", "kept", "opaque", "stand", "lit"];
const SOLID = 0.99; // opacity from which a pixel hides what is behind it
const FAINT = 1 / 512;
const DEEPER = 4; // by how much sides that look away lie deeper: their slope over so many pixels

export class Solid {
  /** Throws an Error where the browser has no WebGL 2. */
  constructor(canvas) {
    this.gl = context(canvas, { antialias: true, depth: true });
    this.at = program(this.gl, CORNERS, PIXELS, UNIFORMS);
    this.lines = new Lines(this.gl);
    this.lit = true;
    const { gl } = this;
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.enable(gl.POLYGON_OFFSET_FILL);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(...BACKGROUND, 1);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    // What vertices without an array of their own have.
    gl.vertexAttrib3f(1, 0, 0, 0);
    gl.vertexAttrib4f(3, 1, 1, 1, 1);
    this.made = [];
  }

  /** Use what ``readGlb`` returns, with ``bitmaps``: its pictures, decoded. */
  load(model) {
    for (const drop of this.made) drop();
    this.made = [];
    const white = this.texture(new ImageData(new Uint8ClampedArray([255, 255, 255, 255]), 1, 1), {});
    const [buffers, textures] = [new Map(), new Map()];
    const once = (map, key, make) => map.get(key) ?? map.set(key, make()).get(key);
    this.pieces = model.pieces.map((piece) => {
      const { material } = piece;
      const bitmap = piece.uvs && model.bitmaps[material.picture];
      const key = [material.picture, ...material.wrap, material.nearest].join();
      return {
        array: this.array(piece, (values) => once(buffers, values, () => this.buffer(values))),
        count: piece.indices.length,
        texture: bitmap ? once(textures, key, () => this.texture(bitmap, material)) : white,
        material,
      };
    });
    this.place = [...model.centre, 1 / model.radius];
  }

  buffer(values, kind = this.gl.ARRAY_BUFFER) {
    const { gl } = this;
    const buffer = gl.createBuffer();
    gl.bindBuffer(kind, buffer);
    gl.bufferData(kind, values, gl.STATIC_DRAW);
    this.made.push(() => gl.deleteBuffer(buffer));
    return buffer;
  }

  array(piece, bufferOf) {
    const { gl } = this;
    const array = gl.createVertexArray();
    this.made.push(() => gl.deleteVertexArray(array));
    gl.bindVertexArray(array);
    [[piece.positions, 3], [piece.normals, 3], [piece.uvs, 2], [piece.colours, 4]].forEach(([values, width], number) => {
      if (!values) return;
      gl.bindBuffer(gl.ARRAY_BUFFER, bufferOf(values));
      gl.enableVertexAttribArray(number);
      gl.vertexAttribPointer(number, width, gl.FLOAT, false, 0, 0);
    });
    this.buffer(piece.indices, gl.ELEMENT_ARRAY_BUFFER);
    gl.bindVertexArray(null);
    return array;
  }

  texture(picture, { wrap = ["REPEAT", "REPEAT"], nearest = false }) {
    const { gl } = this;
    const texture = gl.createTexture();
    this.made.push(() => gl.deleteTexture(texture));
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, gl.RGBA, gl.UNSIGNED_BYTE, fitting(gl, picture));
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, nearest ? gl.NEAREST : gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl[wrap[0]]);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl[wrap[1]]);
    const slanted = gl.getExtension("EXT_texture_filter_anisotropic");
    if (slanted && !nearest) {
      const most = Math.min(8, gl.getParameter(slanted.MAX_TEXTURE_MAX_ANISOTROPY_EXT));
      gl.texParameterf(gl.TEXTURE_2D, slanted.TEXTURE_MAX_ANISOTROPY_EXT, most);
    }
    return texture;
  }

  /** Draw into a canvas of ``width`` x ``height`` pixels; wide: of lines, pixels. */
  draw(look, width, height, wide = 1) {
    const { gl, at, lines } = this;
    if (!this.pieces || !resized(gl, width, height)) return;
    const view = projection(look, width, height, lines.count ? lines.reach : 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.CULL_FACE);
    at.use();
    gl.uniformMatrix4fv(at.view, false, view);
    gl.uniform4f(at.place, ...this.place);
    gl.uniform3f(at.stand, ...eye(look));
    gl.uniform1f(at.lit, this.lit ? 1 : 0);
    const blended = (piece) => piece.material.alpha === "BLEND";
    for (const piece of this.pieces) this.piece(piece, blended(piece) ? SOLID : limit(piece), Infinity, true);
    // What shows through comes last and hides nothing.
    gl.enable(gl.BLEND);
    gl.depthMask(false);
    for (const piece of this.pieces.filter(blended)) this.piece(piece, FAINT, SOLID, false);
    gl.depthMask(true);
    gl.disable(gl.BLEND);
    gl.disable(gl.CULL_FACE);
    gl.polygonOffset(0, 0);
    lines.drawAmong(view, width, height, wide);
  }

  piece({ array, count, texture, material }, low, high, opaque) {
    const { gl, at } = this;
    gl.bindVertexArray(array);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.uniform4f(at.base, ...material.colour);
    gl.uniform2f(at.kept, low, Math.min(high, 1e9));
    gl.uniform1f(at.opaque, opaque ? 1 : 0);
    // Sides that look away lie a little deeper: or the edges of an object show what is behind them, where the graphics
    // card takes depth at a pixel's middle, beyond the edge.
    for (const [culled, deeper] of [[gl.BACK, 0], [gl.FRONT, DEEPER]]) {
      gl.cullFace(culled);
      gl.polygonOffset(deeper, deeper);
      gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_INT, 0);
    }
  }

  free() {
    free(this.gl);
  }
}

/** The opacity below which a piece is not there. */
const limit = ({ material }) => (material.alpha === "MASK" ? material.cutoff : -1);
