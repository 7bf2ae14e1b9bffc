// The views of a rig in a viewer: whether they are shown, their numbers over the picture, and where one was pointed at.

const RADIUS = 9.5; // of a number's disc, pixels of the screen
const SMALLER = 8; // where there are many
const MANY = 40;
const AROUND = 3; // pixels beside a disc that still mean it

export class Rig {
  /** viewer: gives ``project(point, width, height)``: { x, y, depth, faint }, or null behind it. */
  constructor(viewer) {
    this.viewer = viewer;
    this.outlines = [];
    this.none = []; // (one array, so that drawers see that nothing changed)
    this.shown = true;
    this.last = -1; // view that was stood in
    this.button = viewer.button("Views", "Show the views of the rig, or hide them (V).", () => this.toggle());
    this.paint();
  }

  /** What a run put out. */
  take(outlines) {
    this.outlines = outlines;
    this.last = -1;
    this.paint();
  }

  toggle() {
    this.shown = !this.shown;
    this.paint();
    this.viewer.redraw();
  }

  paint() {
    if (this.outlines.length) this.viewer.saver.before(this.button);
    else this.button.remove();
    this.button.style.opacity = this.shown ? "" : "0.6";
    this.button.setAttribute("aria-pressed", String(this.shown));
  }

  /** What is to be drawn. */
  get lines() {
    return this.shown ? this.outlines : this.none;
  }

  radius(fine) {
    return (this.outlines.length > MANY ? SMALLER : RADIUS) * fine;
  }

  /** Numbers into a picture of that size; fine: its pixels for one of the screen. */
  number(drawing, width, height, fine) {
    const radius = this.radius(fine);
    drawing.textAlign = "center";
    drawing.textBaseline = "middle";
    const found = this.lines.map(({ label, number, colour }) => ({
      number, colour, place: this.viewer.project(label, width, height),
    })).filter(({ place }) => place).sort((a, b) => b.place.depth - a.place.depth);
    for (const { number, colour, place: { x, y, faint } } of found) {
      const tint = `rgb(${colour.map((v) => Math.round(255 * v)).join()})`;
      drawing.globalAlpha = faint ? 0.35 : 1;
      drawing.beginPath();
      drawing.arc(x, y, radius, 0, 2 * Math.PI);
      drawing.fillStyle = tint;
      drawing.fill();
      drawing.lineWidth = 1.2 * fine;
      drawing.strokeStyle = "#12151a";
      drawing.stroke();
      drawing.globalAlpha = faint ? 0.7 : 1;
      drawing.fillStyle = "#12151a";
      drawing.font = `600 ${radius * (number < 100 ? 1.2 : 0.95)}px sans-serif`;
      drawing.fillText(String(number), x, y + radius * 0.06);
    }
    drawing.globalAlpha = 1;
  }

  /** The view whose number lies at a place of a frame, the nearest to the camera; or nothing. */
  at(x, y, width, height) {
    const reach = this.radius(1) + AROUND;
    const near = this.lines.map((outline) => ({ outline, place: this.viewer.project(outline.label, width, height) }))
      .filter(({ place }) => place && Math.hypot(place.x - x, place.y - y) <= reach);
    near.sort((a, b) => a.place.depth - b.place.depth);
    return near[0]?.outline;
  }

  /** Stand in the view, or in the one so many further on. */
  stand(outline) {
    this.last = this.outlines.indexOf(outline);
    this.viewer.stand(outline);
  }

  next(by) {
    const { length } = this.lines;
    if (!length) return;
    this.stand(this.outlines[this.last < 0 ? (by > 0 ? 0 : length - 1) : (this.last + by + length) % length]);
  }
}
