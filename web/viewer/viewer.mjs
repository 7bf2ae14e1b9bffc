// What the viewers in nodes share: a view that is dragged and zoomed, a bar below it, keys, full screen, saved views, a
// choice of what to show, and a picture that stays when the browser takes WebGL away.

import { Rig } from "./rig.mjs";
import { say } from "./words.mjs";

const SAVED_WIDTH = 1024; // a saved view is at least this wide
const WIDEST_CANVAS = 4096;
const LINE = 1.6; // width of outlines, pixels of the screen
const STILL = 4; // a pointer that moved by less was a click
const FILL = { position: "absolute", inset: 0, width: "100%", height: "100%", display: "block" };
export const BUTTON = { font: "inherit", whiteSpace: "nowrap", padding: "1px 6px", cursor: "pointer" };

export function make(kind, parent, style, more = {}) {
  const element = Object.assign(document.createElement(kind), more);
  for (const shown of ["title", "textContent"]) if (more[shown]) element[shown] = say(more[shown]);
  Object.assign(element.style, style);
  parent.append(element);
  return element;
}

/**
 * A kind of viewer gives: ``shared``, the SharedDrawer of its kind; ``prepare(drawer)``, if it sets more than the look;
 * ``fetch(url)``, a promise of what is loaded; ``told()`` and ``file()``, words for the view; ``held(event)``, what a
 * drag with that button does, or nothing; ``dragged(how, look, right, down, width, height)`` and ``zoomed(factor)``, the
 * new look; ``keys()``. One that shows the views of a rig: ``project(point, width, height)``, see rig.mjs, and
 * ``stand(outline)``, which goes where a view is.
 */
export class Viewer {
  /** words: name (of data-name attributes), hint, choice, lost, tooltip; start: the look to begin with. */
  constructor(parent, words, start) {
    parent.textContent = "";
    this.words = words;
    this.start = start;
    this.look = start;
    this.scale = 1;
    this.loading = 0; // counts what was asked for: what arrives late is dropped
    this.problem = "";
    this.build(parent);
    this.canvas = this.layer("canvas");
    this.rig = this.project ? new Rig(this) : null;
    this.listen();
  }

  build(parent) {
    const { name, hint, choice } = this.words;
    this.root = make("div", parent, {
      width: "100%", height: "100%", display: "flex", flexDirection: "column", background: "#111", color: "#ccc",
      font: "12px sans-serif",
    });
    this.stage = make("div", this.root, {
      position: "relative", flex: "1 1 0", minHeight: 0, overflow: "hidden", touchAction: "none", cursor: "grab",
      outlineOffset: "-2px",
    }, { tabIndex: 0, title: hint });
    this.stage.dataset[name] = "view";
    this.bar = make("div", this.root, {
      display: "flex", flexWrap: "wrap", gap: "4px", alignItems: "center", padding: "3px", minWidth: 0,
    });
    this.bar.dataset[name] = "bar";
    this.choice = make("select", this.bar, { ...BUTTON, display: "none" }, { title: choice });
    this.note = make("span", this.bar, {
      flex: "1 1 0", minWidth: 0, overflow: "hidden", whiteSpace: "nowrap", textOverflow: "ellipsis",
    });
    this.note.dataset[name] = "note";
    this.button("Reset", "Back to the first view (double click, Home).", () => this.turnTo(this.start));
    this.saver = this.button("Save view", "Save what is in view as a PNG (S).", () => this.save());
    this.button("Full screen", "Show it on the whole screen and back (F).", () => this.fullScreen());
  }

  button(label, title, act) {
    const made = make("button", this.bar, BUTTON, { textContent: label, title, type: "button" });
    made.addEventListener("click", () => act());
    return made;
  }

  layer(kind, style, more) {
    return make(kind, this.stage, { ...FILL, visibility: "hidden", ...style }, more);
  }

  /** What a run put out, by URL, and the views of a rig. The view stays where it is, so that two runs can be compared. */
  show(urls, outlines = []) {
    const before = this.choice.selectedIndex;
    this.urls = urls;
    this.take(outlines);
    this.choice.replaceChildren(...urls.map((_, i) => new Option(`${i + 1} of ${urls.length}`)));
    this.choice.style.display = urls.length > 1 ? "" : "none";
    return this.choose(before > 0 && before < urls.length ? before : 0);
  }

  take(outlines) {
    this.rig?.take(outlines);
  }

  async choose(index) {
    const number = ++this.loading;
    this.choice.selectedIndex = index;
    let item;
    try {
      item = await this.fetch(this.urls[index]);
    } catch (error) {
      if (number === this.loading) this.note.textContent = say(error.shown ?? this.words.lost);
      return;
    }
    if (number !== this.loading) return;
    this.item = item;
    this.shared.retry();
    this.use();
  }

  use() {
    const drawer = this.drawer();
    this.canvas.style.visibility = drawer ? "" : "hidden";
    this.saver.disabled = !drawer;
    this.redraw();
  }

  /** What draws, ready to draw this item; null, and ``problem`` says why, where there is no WebGL. */
  drawer() {
    try {
      const drawer = this.shared.holding(this.item);
      this.prepare?.(drawer);
      this.problem = "";
      return drawer;
    } catch (error) {
      this.problem = `${say(this.words.without)}: ${error.message}.`;
      return null;
    }
  }

  turnTo(look) {
    this.look = look;
    this.redraw();
  }

  /** One drawing a frame, however many events ask for it. */
  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      const [width, height] = this.pixels();
      if (this.item && width && height) this.draw(width, height);
      this.tell();
    });
  }

  draw(width, height) {
    this.paint(this.canvas, width, height, width / this.stage.clientWidth);
  }

  /** What is in view into a canvas; fine: its pixels for one of the screen. False without WebGL: it stays as it was. */
  paint(canvas, width, height, fine) {
    const drawer = this.drawer();
    if (!drawer) return false;
    drawer.draw(this.look, width, height, Math.max(1, LINE * fine));
    Object.assign(canvas, { width, height });
    const drawing = canvas.getContext("2d");
    drawing.drawImage(drawer.gl.canvas, 0, 0);
    this.rig?.number(drawing, width, height, fine);
    return true;
  }

  tell() {
    if (!this.item) return;
    this.note.textContent = this.problem || this.told();
    this.note.title = this.problem || say(this.words.tooltip);
  }

  /** Pixels of the canvas: what the screen shows of it, the graph's zoom included. */
  pixels() {
    const scale = (this.full() ? 1 : this.scale) * window.devicePixelRatio;
    const { clientWidth, clientHeight } = this.stage;
    const shrink = Math.min(1, WIDEST_CANVAS / Math.max(1, clientWidth * scale, clientHeight * scale)) * scale;
    return [Math.round(clientWidth * shrink), Math.round(clientHeight * shrink)];
  }

  zoomOfGraph(scale) {
    if (scale === this.scale) return;
    this.scale = scale;
    this.redraw();
  }

  full() {
    return document.fullscreenElement === this.root;
  }

  fullScreen() {
    if (this.full()) document.exitFullscreen();
    else this.root.requestFullscreen?.().catch((error) => { this.note.textContent = error.message; });
  }

  async save() {
    const [width, height] = this.pixels();
    if (!this.item || !width || !height) return;
    const larger = Math.max(1, SAVED_WIDTH / width);
    const [name, canvas] = [this.file(), document.createElement("canvas")];
    const size = [Math.round(width * larger), Math.round(height * larger)];
    if (!this.paint(canvas, ...size, size[0] / this.stage.clientWidth)) return;
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  /** (x, y, width, height) of an event in the view, in pixels of the screen. */
  place(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top, box.width, box.height];
  }

  listen() {
    const { stage } = this;
    const on = (name, act, options) => stage.addEventListener(name, act, options);
    let held = null;
    on("pointerdown", (event) => {
      const how = this.held(event);
      if (!how) return; // the others are the graph's
      event.stopPropagation();
      stage.setPointerCapture(event.pointerId);
      stage.focus({ preventScroll: true });
      stage.style.cursor = "grabbing";
      const [, , width, height] = this.place(event);
      held = { how, x: event.clientX, y: event.clientY, look: this.look, width, height };
    });
    on("pointermove", (event) => {
      this.pointed?.(event);
      if (!held) return this.tell();
      event.stopPropagation();
      const [right, down] = [event.clientX - held.x, event.clientY - held.y];
      this.turnTo(this.dragged(held.how, held.look, right, down, held.width, held.height));
    });
    const release = () => {
      held = null;
      stage.style.cursor = "grab";
    };
    on("pointerup", (event) => {
      const still = held && Math.hypot(event.clientX - held.x, event.clientY - held.y) < STILL;
      release();
      const pointed = still && this.item && this.rig?.at(...this.place(event));
      if (pointed) this.rig.stand(pointed);
    });
    on("pointercancel", release);
    on("pointerleave", () => {
      this.pointed?.(null);
      this.tell();
    });
    on("dblclick", (event) => {
      event.stopPropagation();
      this.turnTo(this.start);
    });
    on("wheel", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 33;
      this.turnTo(this.zoomed(Math.exp(event.deltaY * lines * 0.001)));
    }, { passive: false });
    on("keydown", (event) => this.key(event));
    this.choice.addEventListener("change", () => this.choose(this.choice.selectedIndex));
    this.watcher = new ResizeObserver(() => this.redraw());
    this.watcher.observe(stage);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const other = (by) => {
      const index = this.choice.selectedIndex + by;
      if (this.urls?.[index]) this.choose(index);
    };
    const acts = {
      "+": () => this.turnTo(this.zoomed(1 / 1.2)),
      "-": () => this.turnTo(this.zoomed(1.2)),
      Home: () => this.turnTo(this.start),
      PageDown: () => other(1),
      PageUp: () => other(-1),
      f: () => this.fullScreen(),
      s: () => this.save(),
      v: () => this.rig?.toggle(),
      c: () => this.rig?.next(event.shiftKey ? -1 : 1),
      ...this.keys(event.shiftKey),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  remove() {
    this.watcher.disconnect();
    this.loading++;
    this.shared.leave(this.item);
    this.item = null;
  }
}
