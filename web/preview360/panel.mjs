// The viewer in a node: the view, and a bar with the choice of picture and the buttons.
import { START, angles, dragged, ray, turned, zoomed } from "./geometry.mjs";
import { Sphere } from "./sphere.mjs";

const HINT = "drag: look · scroll: zoom · double click: reset · arrows, + and -: keys · F: full screen";
const SAVED_WIDTH = 1024; // a saved view is at least this wide
const WIDEST_CANVAS = 4096;

function make(kind, parent, style, more = {}) {
  const element = Object.assign(document.createElement(kind), more);
  Object.assign(element.style, style);
  parent.append(element);
  return element;
}

const BUTTON = { font: "inherit", whiteSpace: "nowrap", padding: "1px 6px", cursor: "pointer" };
const FILL = { position: "absolute", inset: 0, width: "100%", height: "100%", display: "block" };

export class Panel {
  constructor(parent) {
    parent.textContent = "";
    this.look = START;
    this.scale = 1;
    this.loading = 0; // counts the pictures asked for: one that arrives late is dropped
    this.build(parent);
    this.listen();
    this.startSphere();
  }

  build(parent) {
    this.root = make("div", parent, {
      width: "100%", height: "100%", display: "flex", flexDirection: "column", background: "#111", color: "#ccc",
      font: "12px sans-serif",
    });
    this.stage = make("div", this.root, {
      position: "relative", flex: "1 1 0", minHeight: 0, overflow: "hidden", touchAction: "none", cursor: "grab",
      outlineOffset: "-2px",
    }, { tabIndex: 0, title: HINT });
    this.stage.dataset.panorama = "view";
    this.flat = make("img", this.stage, { ...FILL, objectFit: "contain", visibility: "hidden" }, { draggable: false });
    const bar = make("div", this.root, {
      display: "flex", flexWrap: "wrap", gap: "4px", alignItems: "center", padding: "3px", minWidth: 0,
    });
    bar.dataset.panorama = "bar";
    this.choice = make("select", bar, { ...BUTTON, display: "none" }, { title: "Which picture of the batch." });
    this.note = make("span", bar, {
      flex: "1 1 0", minWidth: 0, overflow: "hidden", whiteSpace: "nowrap", textOverflow: "ellipsis",
    });
    this.note.dataset.panorama = "note";
    const button = (label, title, act) => {
      const made = make("button", bar, BUTTON, { textContent: label, title, type: "button" });
      made.addEventListener("click", () => act());
      return made;
    };
    button("Reset", "Look to the front again (double click, Home).", () => this.turnTo(START));
    this.saver = button("Save view", "Save what is in view as a PNG (S).", () => this.save());
    button("Full screen", "Show it on the whole screen and back (F).", () => this.fullScreen());
  }

  /** On a canvas of its own each time: one whose WebGL was taken away may never get it back. */
  startSphere() {
    this.canvas?.remove();
    this.canvas = make("canvas", this.stage, { ...FILL, visibility: "hidden" });
    this.canvas.addEventListener("webglcontextlost", (event) => {
      if (event.target !== this.canvas || this.removed) return;
      event.preventDefault(); // or it is never restored
      this.sphere = null;
      this.problem = "Shown flat: the browser took WebGL away; run the workflow again.";
      if (this.image) this.use(this.image);
    });
    this.canvas.addEventListener("webglcontextrestored", (event) => {
      if (event.target !== this.canvas || this.removed) return;
      this.startSphere();
      if (this.image) this.use(this.image);
    });
    try {
      this.sphere = new Sphere(this.canvas);
      this.problem = "";
    } catch (error) {
      this.sphere = null;
      this.problem = `Shown flat: ${error.message}.`;
    }
  }

  /** Pictures of a batch, by URL. The view stays where it is, so that two runs can be compared. */
  show(urls) {
    const before = this.choice.selectedIndex;
    this.urls = urls;
    this.choice.replaceChildren(...urls.map((_, i) => new Option(`${i + 1} of ${urls.length}`)));
    this.choice.style.display = urls.length > 1 ? "" : "none";
    return this.choose(before > 0 && before < urls.length ? before : 0);
  }

  async choose(index) {
    const number = ++this.loading;
    this.choice.selectedIndex = index;
    const image = new Image();
    image.src = this.urls[index];
    try {
      await image.decode();
    } catch {
      if (number === this.loading) {
        this.note.textContent = "The picture is no longer in the temp folder; run the workflow again.";
      }
      return;
    }
    if (number !== this.loading) return;
    this.image = image;
    if (!this.sphere) this.startSphere();
    this.use(image);
  }

  use(image) {
    if (this.sphere) this.sphere.load(image);
    else this.flat.src = image.src;
    this.canvas.style.visibility = this.sphere ? "" : "hidden";
    this.flat.style.visibility = this.sphere ? "hidden" : "";
    this.saver.disabled = !this.sphere;
    this.redraw();
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
      if (this.sphere && width && height) this.sphere.draw(this.look, width, height);
      this.tell();
    });
  }

  tell() {
    const degrees = (value) => `${Math.round(value)}°`;
    const way = ({ azimuth, elevation }) => `${degrees(azimuth)}, ${degrees(elevation)}`;
    if (!this.image) return;
    const pointed = this.pointed ? ` · pointer ${way(this.pointed)}` : "";
    this.note.textContent = this.problem || `view ${way(this.look)}, ${degrees(this.look.fov)} wide${pointed}`;
    this.note.title = this.problem || "Azimuth and elevation of the middle, field of view, direction under the pointer.";
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
    if (!this.sphere || !this.image) return;
    const [width, height] = this.pixels();
    if (!width || !height) return;
    const larger = Math.max(1, SAVED_WIDTH / width);
    const blob = await this.sphere.picture(this.look, Math.round(width * larger), Math.round(height * larger));
    this.redraw();
    const { azimuth, elevation, fov } = this.look;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `view_${Math.round(azimuth)}_${Math.round(elevation)}_${Math.round(fov)}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  listen() {
    const { stage } = this;
    const on = (name, act, options) => stage.addEventListener(name, act, options);
    const place = (event) => {
      const box = stage.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top, box.width, box.height];
    };
    let held = null;
    on("pointerdown", (event) => {
      if (event.button !== 0) return; // the others are the graph's
      event.stopPropagation();
      stage.setPointerCapture(event.pointerId);
      stage.focus({ preventScroll: true });
      stage.style.cursor = "grabbing";
      held = { x: event.clientX, y: event.clientY, look: this.look, width: place(event)[2] };
    });
    on("pointermove", (event) => {
      this.pointed = angles(ray(this.look, ...place(event)));
      if (!held) return this.tell();
      event.stopPropagation();
      this.turnTo({ ...dragged(held.look, event.clientX - held.x, event.clientY - held.y, held.width) });
    });
    const release = () => {
      held = null;
      stage.style.cursor = "grab";
    };
    on("pointerup", release);
    on("pointercancel", release);
    on("pointerleave", () => {
      this.pointed = null;
      this.tell();
    });
    on("dblclick", (event) => {
      event.stopPropagation();
      this.turnTo(START);
    });
    on("wheel", (event) => {
      event.preventDefault();
      event.stopPropagation();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : 33;
      this.turnTo(zoomed(this.look, Math.exp(event.deltaY * lines * 0.001)));
    }, { passive: false });
    on("keydown", (event) => this.key(event));
    this.choice.addEventListener("change", () => this.choose(this.choice.selectedIndex));
    this.watcher = new ResizeObserver(() => this.redraw());
    this.watcher.observe(stage);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = this.look.fov / 6;
    const other = (by) => {
      const index = this.choice.selectedIndex + by;
      if (this.urls?.[index]) this.choose(index);
    };
    const acts = {
      ArrowLeft: () => this.turnTo(turned(this.look, -step, 0)),
      ArrowRight: () => this.turnTo(turned(this.look, step, 0)),
      ArrowUp: () => this.turnTo(turned(this.look, 0, step)),
      ArrowDown: () => this.turnTo(turned(this.look, 0, -step)),
      "+": () => this.turnTo(zoomed(this.look, 1 / 1.2)),
      "-": () => this.turnTo(zoomed(this.look, 1.2)),
      Home: () => this.turnTo(START),
      PageDown: () => other(1),
      PageUp: () => other(-1),
      f: () => this.fullScreen(),
      s: () => this.save(),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  remove() {
    this.removed = true;
    this.watcher.disconnect();
    this.loading++;
    this.sphere?.free();
    this.sphere = null;
  }
}
