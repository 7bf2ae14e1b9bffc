// Lines of a width in pixels through space: one piece is a quad that the graphics card lays along it.
import { program } from "./gl.mjs";

const CORNERS = `#version 300 es
layout(location = 0) in vec3 start;
layout(location = 1) in vec3 end;
layout(location = 2) in vec3 tint;
uniform mat4 view;
uniform vec2 frame; // pixels
uniform float wide; // pixels
out vec3 colour;
out float across;   // pixels from the line's middle
const float NEAR = 1e-3;
void main() {
  colour = tint;
  vec4 a = view * vec4(start, 1.0);
  vec4 b = view * vec4(end, 1.0);
  // Of a piece that goes past the camera, the part before it.
  vec4 first = a.w < NEAR ? mix(a, b, (NEAR - a.w) / max(b.w - a.w, 1e-9)) : a;
  vec4 last = b.w < NEAR ? mix(b, a, (NEAR - b.w) / max(a.w - b.w, 1e-9)) : b;
  vec2 way = (last.xy / last.w - first.xy / first.w) * frame;
  way = length(way) > 1e-6 ? normalize(way) : vec2(1.0, 0.0);
  float side = gl_VertexID % 2 == 0 ? 1.0 : -1.0;
  float reach = 0.5 * wide + 1.0;
  vec4 at = gl_VertexID < 2 ? first : last;
  vec2 over = (gl_VertexID < 2 ? -way : way) * 0.5 * wide; // pieces join without a notch
  across = side * reach;
  gl_Position = max(a.w, b.w) < NEAR ? vec4(2.0, 2.0, 2.0, 1.0)
    : at + vec4((vec2(-way.y, way.x) * across + over) * 2.0 / frame * at.w, 0.0, 0.0);
}`;

const PIXELS = `#version 300 es
precision highp float;
uniform float wide;
uniform float strength;
uniform float bright;
in vec3 colour;
in float across;
out vec4 seen;
void main() {
  seen = vec4(bright * colour, strength * clamp(0.5 * wide + 0.5 - abs(across), 0.0, 1.0));
}`;

export const HIDDEN = 0.28; // how much is left of a line behind something

/** Pieces of the lines of outlines: nine numbers each, from, to, colour. */
export function pieces(outlines) {
  const found = [];
  for (const { lines, colour } of outlines) {
    for (const line of lines) {
      for (let at = 3; at < line.length; at += 3) found.push(...line.slice(at - 3, at + 3), ...colour);
    }
  }
  return new Float32Array(found);
}

/** How far from the middle lines go; 1, the object's radius, without any. */
export function reachOf(outlines) {
  let reach = 1;
  for (const { lines } of outlines) {
    for (const line of lines) {
      for (let at = 0; at < line.length; at += 3) {
        reach = Math.max(reach, Math.hypot(line[at], line[at + 1], line[at + 2]));
      }
    }
  }
  return reach;
}

export class Lines {
  constructor(gl) {
    this.gl = gl;
    this.at = program(gl, CORNERS, PIXELS, ["view", "frame", "wide", "strength", "bright"]);
    this.array = gl.createVertexArray();
    this.buffer = gl.createBuffer();
    this.count = 0;
    gl.bindVertexArray(this.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    for (let number = 0; number < 3; number++) {
      gl.enableVertexAttribArray(number);
      gl.vertexAttribPointer(number, 3, gl.FLOAT, false, 36, 12 * number);
      gl.vertexAttribDivisor(number, 1);
    }
    gl.bindVertexArray(null);
  }

  /** Use these outlines. The same array costs nothing. */
  load(outlines) {
    if (this.loaded === outlines) return;
    this.loaded = outlines;
    const { gl } = this;
    const all = pieces(outlines);
    this.count = all.length / 9;
    this.reach = reachOf(outlines);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, all, gl.STATIC_DRAW);
  }

  /** view: sixteen numbers, column by column; wide: pixels; strength, bright: 0 to 1. Blends over what is there. */
  draw(view, width, height, wide, strength = 1, bright = 1) {
    if (!this.count) return;
    const { gl, at } = this;
    at.use();
    gl.uniformMatrix4fv(at.view, false, view);
    gl.uniform2f(at.frame, width, height);
    gl.uniform1f(at.wide, wide);
    gl.uniform1f(at.strength, strength);
    gl.uniform1f(at.bright, bright);
    gl.bindVertexArray(this.array);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
    gl.disable(gl.BLEND);
  }

  /** The same among what has depth: fainter behind it. */
  drawAmong(...how) {
    if (!this.count) return;
    const { gl } = this;
    gl.depthMask(false);
    gl.depthFunc(gl.GREATER);
    this.draw(...how, HIDDEN);
    gl.depthFunc(gl.LEQUAL);
    this.draw(...how);
    gl.depthMask(true);
  }
}
