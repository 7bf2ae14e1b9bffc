// An ambiguous picture and its readings: press to play from one to the other, drag to go there by hand.

import { BUTTON, make } from "../viewer/viewer.mjs";
import { fill, say } from "../viewer/words.mjs";

const HINT = "press: play · drag: by hand · space: play · left and right: frame by frame · Home, End: the two readings";
const LOST = "The frames are no longer in the temp folder; run the workflow again.";
const SECONDS = 1.2; // of the way from one reading to the other
const STILL = 4; // pixels that a pointer may move and still press

/** Where a film of ``count`` frames is after ``passed`` seconds, from ``from`` towards ``to`` (frames, maybe between). */
export function played(from, to, count, passed) {
  const step = ((count - 1) * passed) / SECONDS;
  return to > from ? Math.min(to, from + step) : Math.max(to, from - step);
}

/** The frame after a drag of ``dx`` pixels over a stage ``width`` wide: across the middle three quarters is all the way. */
export function draggedTo(from, dx, width, count) {
  const frame = from + (dx / (0.75 * Math.max(1, width))) * (count - 1);
  return Math.min(count - 1, Math.max(0, frame));
}

export class Panel {
  constructor(parent) {
    parent.textContent = "";
    this.at = 0; // frame, maybe between two while it plays
    this.films = [];
    this.loading = 0; // counts the films asked for: one that arrives late is dropped
    this.build(parent);
    this.listen();
  }

  build(parent) {
    this.root = make("div", parent, {
      width: "100%", height: "100%", display: "flex", flexDirection: "column", background: "#111", color: "#ccc",
      font: "12px sans-serif",
    });
    this.stage = make("div", this.root, {
      position: "relative", flex: "1 1 0", minHeight: 0, overflow: "hidden", touchAction: "none", cursor: "pointer",
      outlineOffset: "-2px",
    }, { tabIndex: 0, title: HINT });
    this.stage.dataset.illusion = "view";
    this.stage.setAttribute("role", "img");
    this.canvas = make("canvas", this.stage, {
      position: "absolute", inset: 0, width: "100%", height: "100%", display: "block", objectFit: "contain",
    });
    const bar = make("div", this.root, {
      display: "flex", flexWrap: "wrap", gap: "4px", alignItems: "center", padding: "3px", minWidth: 0,
    });
    bar.dataset.illusion = "bar";
    this.button = make("button", bar, BUTTON, { textContent: "Play", title: "Play to the other reading (space).", type: "button" });
    this.choice = make("select", bar, { ...BUTTON, display: "none" }, { title: "Which reading." });
    this.slider = make("input", bar, { flex: "1 1 60px", minWidth: "40px" }, { type: "range", min: 0, max: 0, step: 1, value: 0 });
    this.slider.setAttribute("aria-label", "From the picture to its reading");
    this.note = make("span", bar, {
      flex: "1 1 100%", minWidth: 0, overflow: "hidden", whiteSpace: "nowrap", textOverflow: "ellipsis",
    });
    this.note.dataset.illusion = "note";
  }

  /** Films of the readings: name, prompt, prompt of the plain picture, URLs of the frames. */
  show(films) {
    const before = this.choice.selectedIndex;
    this.films = films;
    this.choice.replaceChildren(...films.map((film) => new Option(film.prompt || film.name)));
    this.choice.style.display = films.length > 1 ? "" : "none";
    return this.choose(before > 0 && before < films.length ? before : 0);
  }

  async choose(index) {
    const number = ++this.loading;
    this.stop();
    this.choice.selectedIndex = index;
    const images = this.films[index].frames.map((source) => Object.assign(new Image(), { src: source }));
    try {
      await Promise.all(images.map((image) => image.decode()));
    } catch {
      if (number === this.loading) {
        this.note.textContent = say(LOST);
      }
      return;
    }
    if (number !== this.loading) return;
    this.film = this.films[index];
    this.images = images;
    this.slider.max = String(images.length - 1);
    this.goTo(Math.min(Math.round(this.at), images.length - 1));
  }

  get last() {
    return (this.images?.length ?? 1) - 1;
  }

  goTo(frame) {
    this.at = Math.min(this.last, Math.max(0, frame));
    this.redraw();
  }

  /** Towards the end that is farther away, or back where it came from while it plays. */
  play() {
    if (!this.images) return;
    const to = this.playing ? this.last - this.playing.to : this.at * 2 < this.last ? this.last : 0;
    if (window.matchMedia?.("(prefers-reduced-motion: reduce)").matches) {
      this.goTo(to);
      return;
    }
    this.stop();
    this.playing = { from: this.at, to, began: performance.now() };
    this.tick();
  }

  tick() {
    const { from, to, began } = this.playing;
    this.goTo(played(from, to, this.last + 1, (performance.now() - began) / 1000));
    if (this.at === to) this.stop();
    else this.next = requestAnimationFrame(() => this.tick());
  }

  stop() {
    cancelAnimationFrame(this.next);
    this.playing = null;
  }

  redraw() {
    const image = this.images?.[Math.round(this.at)];
    if (!image) return;
    const { canvas } = this;
    if (canvas.width !== image.naturalWidth || canvas.height !== image.naturalHeight) {
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
    }
    canvas.getContext("2d").drawImage(image, 0, 0);
    this.slider.value = String(Math.round(this.at));
    this.tell();
  }

  tell() {
    const { name, prompt, plain } = this.film;
    const share = this.last ? Math.round((100 * this.at) / this.last) : 0;
    const there = prompt || name;
    const text = share === 0 ? plain || fill("the picture") : share === 100 ? there : fill("# % of the way to: #", share, there);
    this.note.textContent = share === 100 && prompt ? `${prompt} (${name})` : text;
    this.note.title = this.note.textContent;
    this.stage.setAttribute("aria-label", this.note.textContent);
  }

  /** The canvas is stretched by the browser: nothing to do. */
  zoomOfGraph() {}

  listen() {
    const { stage } = this;
    let held = null;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return; // the others are the graph's
      event.stopPropagation();
      stage.setPointerCapture(event.pointerId);
      stage.focus({ preventScroll: true });
      held = { x: event.clientX, at: this.at, width: stage.getBoundingClientRect().width, moved: false };
    });
    stage.addEventListener("pointermove", (event) => {
      if (!held) return;
      event.stopPropagation();
      const dx = event.clientX - held.x;
      if (!held.moved && Math.abs(dx) < STILL) return;
      if (!held.moved) this.stop();
      held.moved = true;
      this.goTo(draggedTo(held.at, dx, held.width, this.last + 1));
    });
    const release = (press) => {
      if (held && press && !held.moved) this.play();
      held = null;
    };
    stage.addEventListener("pointerup", () => release(true));
    stage.addEventListener("pointercancel", () => release(false));
    stage.addEventListener("keydown", (event) => this.key(event));
    this.button.addEventListener("click", () => this.play());
    this.choice.addEventListener("change", () => this.choose(this.choice.selectedIndex));
    this.slider.addEventListener("input", () => {
      this.stop();
      this.goTo(Number(this.slider.value));
    });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (by) => () => {
      this.stop();
      this.goTo(Math.round(this.at) + by);
    };
    const other = (by) => () => {
      const index = this.choice.selectedIndex + by;
      if (this.films[index]) this.choose(index);
    };
    const acts = {
      " ": () => this.play(),
      Enter: () => this.play(),
      ArrowLeft: step(-1),
      ArrowRight: step(1),
      Home: step(-Infinity),
      End: step(Infinity),
      PageDown: other(1),
      PageUp: other(-1),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  remove() {
    this.loading++;
    this.stop();
  }
}
