// Draws splats: ellipses on the image plane, from back to front, as renderers/splats/weights/project.py has them.
import { context, free, program, resized } from "../viewer/gl.mjs";
import { Lines } from "../viewer/lines.mjs";
import { axes, eye, halves, projection } from "../viewer/orbit.mjs";
import { Order, ROW } from "./scene.mjs";

const CORNERS = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
layout(location = 0) in uint number;
uniform usampler2D scene; // two texels a splat: the words of its row
uniform mat4 view;        // object -> clip space
uniform mat3 turn;        // object -> camera
uniform vec3 stand;       // the camera's place
uniform mat3 upright;     // scene -> object, without the scale
uniform vec4 place;       // the scene's middle, 1 / its radius
uniform vec2 frame;       // pixels
uniform vec2 halves;      // half of what the frame shows at depth 1
uniform float sharp;      // 1: fainter where a splat is drawn larger than it is
out vec2 at;              // deviations
out vec4 tint;
const float EPS = 0.3;    // square pixels
const float NEAR = 0.01;
const float LEAST = 1.0 / 255.0;

mat3 turned(vec4 q) {
  q /= max(length(q), 1e-9);
  float w = q.x, x = q.y, y = q.z, z = q.w;
  return mat3(
    1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y),
    2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x),
    2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y));
}

vec4 bytes(uint word) {
  return vec4(uvec4(word, word >> 8, word >> 16, word >> 24) & 255u);
}

void main() {
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0); // out of sight until it is known to be seen
  int across = textureSize(scene, 0).x / 2;
  ivec2 cell = ivec2(2 * (int(number) % across), int(number) / across);
  uvec4 first = texelFetch(scene, cell, 0);
  uvec4 second = texelFetch(scene, cell + ivec2(1, 0), 0);
  vec3 middle = upright * (uintBitsToFloat(first.xyz) - place.xyz) * place.w;
  vec3 here = turn * (middle - stand);
  float depth = -here.z;
  if (depth < NEAR) return;
  vec3 sizes = vec3(uintBitsToFloat(first.w), uintBitsToFloat(second.xy)) * place.w;
  mat3 own = turn * upright * turned(bytes(second.w) - 128.0);
  own = mat3(own[0] * sizes.x, own[1] * sizes.y, own[2] * sizes.z);
  vec2 focal = 0.5 * frame / halves;
  // Beyond the frame the expansion would draw splats beside the camera over all of it.
  vec2 slope = clamp(here.xy / depth, -1.3 * halves, 1.3 * halves);
  vec3 right = focal.x / depth * (vec3(own[0].x, own[1].x, own[2].x) + slope.x * vec3(own[0].z, own[1].z, own[2].z));
  vec3 up = focal.y / depth * (vec3(own[0].y, own[1].y, own[2].y) + slope.y * vec3(own[0].z, own[1].z, own[2].z));
  float xx = dot(right, right), xy = dot(right, up), yy = dot(up, up);
  vec3 thin = cross(right, up);
  float flat_ = dot(thin, thin);
  float wide = flat_ + EPS * (xx + yy) + EPS * EPS;
  tint = bytes(second.z) / 255.0;
  tint.a *= mix(1.0, sqrt(flat_ / wide), sharp);
  if (tint.a < LEAST) return;
  xx += EPS;
  yy += EPS;
  // Longer and shorter axis of the ellipse.
  float mean = 0.5 * (xx + yy);
  float apart = length(vec2(0.5 * (xx - yy), xy));
  float longest = mean + apart, shortest = max(mean - apart, 0.1);
  vec2 along = abs(xy) > 1e-6 ? normalize(vec2(xy, longest - xx)) : xx >= yy ? vec2(1.0, 0.0) : vec2(0.0, 1.0);
  float reach = sqrt(2.0 * log(tint.a / LEAST));
  at = reach * vec2(gl_VertexID % 2 == 0 ? -1.0 : 1.0, gl_VertexID < 2 ? -1.0 : 1.0);
  vec2 off = at.x * sqrt(longest) * along + at.y * sqrt(shortest) * vec2(-along.y, along.x);
  vec4 clip = view * vec4(middle, 1.0);
  gl_Position = clip + vec4(off * 2.0 / frame * clip.w, 0.0, 0.0);
}`;

const PIXELS = `#version 300 es
precision highp float;
uniform float least; // opacity from which a pixel is drawn
in vec2 at;
in vec4 tint;
out vec4 seen;
void main() {
  float alpha = min(tint.a * exp(-0.5 * dot(at, at)), 0.999);
  if (alpha < least) discard;
  seen = vec4(tint.rgb, alpha);
}`;

export const BACKGROUND = [0.3, 0.3, 0.3];
const UNIFORMS = ["view", "turn", "stand", "upright", "place", "frame", "halves", "sharp", "least"];
const ACROSS = 1024; // splats in a row of the texture
const SOLID = 0.5; // opacity from which a splat hides lines
const FEW = 400000; // so many are sorted anew for every direction
const SAME = 0.99985; // cosine of a degree: more are not

export class Cloud {
  /** Throws an Error where the browser has no WebGL 2. */
  constructor(canvas) {
    this.gl = context(canvas, { antialias: false, depth: true });
    this.at = program(this.gl, CORNERS, PIXELS, UNIFORMS);
    this.lines = new Lines(this.gl);
    const { gl } = this;
    gl.depthFunc(gl.LEQUAL);
    gl.clearColor(...BACKGROUND, 1);
    this.array = gl.createVertexArray();
    this.buffer = gl.createBuffer();
    gl.bindVertexArray(this.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribIPointer(0, 1, gl.UNSIGNED_INT, 0, 0);
    gl.vertexAttribDivisor(0, 1);
    gl.bindVertexArray(null);
    this.count = 0;
  }

  /** Use what ``readScene`` returns, with ``axes``, ``centre``, ``radius`` and ``sharp``. */
  load(scene) {
    const { gl } = this;
    gl.deleteTexture(this.texture ?? null);
    this.count = 0;
    const rows = Math.ceil(scene.count / ACROSS);
    if (rows > gl.getParameter(gl.MAX_TEXTURE_SIZE)) throw new Error("more splats than this graphics card holds");
    const whole = new Uint32Array(rows * ACROSS * ROW);
    whole.set(scene.words);
    this.texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32UI, 2 * ACROSS, rows, 0, gl.RGBA_INTEGER, gl.UNSIGNED_INT, whole);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    this.order = scene.order ??= new Order(scene.positions); // (stays with the scene when another viewer draws)
    this.sorted = false;
    this.scene = scene;
    this.count = scene.count;
  }

  /** Draw into a canvas of ``width`` x ``height`` pixels; wide: of lines, pixels. */
  draw(look, width, height, wide = 1) {
    const { gl, at, lines, scene, order } = this;
    if (!this.count || !resized(gl, width, height)) return;
    const { right, up, back } = axes(look);
    if (order.sort(back, this.count > FEW ? SAME : undefined) || !this.sorted) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
      gl.bufferData(gl.ARRAY_BUFFER, order.indices, gl.DYNAMIC_DRAW);
      this.sorted = true;
    }
    const view = projection(look, width, height, Math.max(scene.reach, lines.count ? lines.reach : 1));
    const half = halves(look, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    at.use();
    gl.uniformMatrix4fv(at.view, false, view);
    gl.uniformMatrix3fv(at.turn, true, [...right, ...up, ...back]);
    gl.uniform3f(at.stand, ...eye(look));
    gl.uniformMatrix3fv(at.upright, true, scene.axes.flat());
    gl.uniform4f(at.place, ...scene.centre, 1 / scene.radius);
    gl.uniform2f(at.frame, width, height);
    gl.uniform2f(at.halves, ...half);
    gl.uniform1f(at.sharp, scene.sharp ? 1 : 0);
    gl.bindVertexArray(this.array);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (lines.count) this.depths();
    gl.uniform1f(at.least, 1 / 255);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
    gl.disable(gl.BLEND);
    if (!lines.count) return;
    gl.enable(gl.DEPTH_TEST);
    lines.drawAmong(view, width, height, wide);
    gl.disable(gl.DEPTH_TEST);
  }

  /** Only how deep the splats lie, for lines among them. */
  depths() {
    const { gl, at } = this;
    gl.uniform1f(at.least, SOLID);
    gl.enable(gl.DEPTH_TEST);
    gl.colorMask(false, false, false, false);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
    gl.colorMask(true, true, true, true);
    gl.disable(gl.DEPTH_TEST);
  }

  free() {
    free(this.gl);
  }
}
