// WebGL 2 to start with.

/** Throws an Error where the browser has no WebGL 2. */
export function context(canvas, options) {
  const gl = canvas.getContext("webgl2", { alpha: false, ...options });
  if (!gl) throw new Error("this browser offers no WebGL 2");
  return gl;
}

/** ``use()`` of a program, and where its uniforms are. Throws an Error with the compiler's words. */
export function program(gl, vertices, pixels, uniforms) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertices], [gl.FRAGMENT_SHADER, pixels]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "no shader");
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made) ?? "no program");
  const places = Object.fromEntries(uniforms.map((name) => [name, gl.getUniformLocation(made, name)]));
  return { use: () => gl.useProgram(made), ...places };
}

/** Gives the canvas a size. False when there is nothing to draw on. */
export function resized(gl, width, height) {
  if (gl.isContextLost()) return false;
  const { canvas } = gl;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  gl.viewport(0, 0, width, height);
  return true;
}

/** Gives all its memory back. */
export const free = (gl) => gl.getExtension("WEBGL_lose_context")?.loseContext();

/** A picture (<img> or ImageBitmap) that the graphics card holds: itself, or a smaller copy. */
export function fitting(gl, picture) {
  const most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
  const [width, height] = [picture.naturalWidth ?? picture.width, picture.naturalHeight ?? picture.height];
  const scale = most / Math.max(width, height);
  if (scale >= 1) return picture;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const drawing = canvas.getContext("2d");
  drawing.imageSmoothingQuality = "high";
  drawing.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}
