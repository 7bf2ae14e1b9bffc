// Draws what a camera sees in an equirectangular picture: one triangle, one shader.
// The shader reads cells by number, not through the texture filter: a column before the first is the last, a row beyond
// a pole continues half way around. So neither +-180 degrees nor the poles differ from any other place.
import { context, fitting, free, program, resized } from "../viewer/gl.mjs";
import { Lines } from "../viewer/lines.mjs";
import { camera, pixelAngle, projection } from "./geometry.mjs";

const CORNERS = `#version 300 es
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

const PIXELS = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D picture;
uniform mat3 camera;      // place in the frame -> direction
uniform vec2 frame;       // pixels
uniform float cells;      // height of a pixel in the middle of the frame, in cells of the picture
uniform float coarsest;   // last level of detail
out vec4 colour;
const float PI = 3.14159265358979;

vec3 cell(ivec2 at, ivec2 size, int level) {
  if (at.y < 0 || at.y >= size.y) {
    at.y = at.y < 0 ? -1 - at.y : 2 * size.y - 1 - at.y;
    at.x += size.x / 2;
  }
  at.x = (at.x + 2 * size.x) % size.x;
  return texelFetch(picture, at, level).rgb;
}

vec3 smoothly(vec2 place, int level) {
  ivec2 size = textureSize(picture, level);
  vec2 corner = place * vec2(size) - 0.5;
  ivec2 at = ivec2(floor(corner));
  vec2 part = corner - floor(corner);
  vec3 above = mix(cell(at, size, level), cell(at + ivec2(1, 0), size, level), part.x);
  vec3 below = mix(cell(at + ivec2(0, 1), size, level), cell(at + ivec2(1, 1), size, level), part.x);
  return mix(above, below, part.y);
}

void main() {
  vec3 way = camera * vec3(2.0 * gl_FragCoord.xy / frame - 1.0, 1.0);
  float flat_ = length(way.xz);
  float azimuth = flat_ > 0.0 ? atan(way.x, -way.z) : 0.0;
  float elevation = atan(way.y, flat_);
  vec2 place = vec2(0.5 + azimuth / (2.0 * PI), 0.5 - elevation / PI);
  // From the angle that the pixel covers, not from how the place changes between pixels: that jumps at +-180 degrees.
  // Half a level finer than the pixel: reading between cells blurs as well.
  float level = clamp(log2(cells * pow(length(way), -1.5)) - 0.5, 0.0, coarsest);
  float finer = floor(level);
  vec3 seen = smoothly(place, int(finer));
  if (level > finer) seen = mix(seen, smoothly(place, int(finer) + 1), level - finer);
  colour = vec4(seen, 1.0);
}`;

export class Sphere {
  /** Throws an Error where the browser has no WebGL 2. */
  constructor(canvas) {
    this.gl = context(canvas, { antialias: false, depth: false });
    this.at = program(this.gl, CORNERS, PIXELS, ["camera", "frame", "cells", "coarsest"]);
    this.array = this.gl.createVertexArray();
    this.lines = new Lines(this.gl);
    this.rows = 0;
  }

  /** Use a decoded <img>. A picture beyond what the graphics card holds is made smaller first. */
  load(image) {
    const { gl } = this;
    const source = fitting(gl, image);
    gl.deleteTexture(this.texture ?? null);
    this.texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, source);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST_MIPMAP_NEAREST);
    gl.generateMipmap(gl.TEXTURE_2D);
    this.rows = source.naturalHeight ?? source.height;
  }

  /** Draw into a canvas of ``width`` x ``height`` pixels; wide: of lines, pixels. */
  draw(look, width, height, wide = 1) {
    const { gl, at } = this;
    if (!this.rows || !resized(gl, width, height)) return;
    at.use();
    gl.bindVertexArray(this.array);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.uniformMatrix3fv(at.camera, false, camera(look, width, height));
    gl.uniform2f(at.frame, width, height);
    gl.uniform1f(at.cells, (pixelAngle(look, width) * this.rows) / Math.PI);
    gl.uniform1f(at.coarsest, Math.max(0, Math.floor(Math.log2(this.rows)) - 1));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    const view = projection(look, width, height);
    this.lines.draw(view, width, height, 2.4 * wide, 0.5, 0); // a dark border: a picture has any colour
    this.lines.draw(view, width, height, wide);
  }

  free() {
    free(this.gl);
  }
}
