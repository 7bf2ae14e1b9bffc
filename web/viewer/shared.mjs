// One WebGL context for all viewers of a kind, however many nodes show something: a browser keeps about sixteen in a
// page and takes the oldest away. Each viewer keeps a copy of what was drawn for it last.

/** ``make(canvas)`` gives what draws (gl, load, draw, picture, free), or throws an Error. */
export class SharedDrawer {
  constructor(make) {
    this.make = make;
    this.drop();
  }

  drop() {
    this.drawer = this.item = this.failure = null;
  }

  /** What draws, with ``item`` loaded. Throws an Error where the browser gives no WebGL: the same until ``retry``. */
  holding(item) {
    if (this.failure) throw this.failure;
    if (this.drawer?.gl.isContextLost()) this.drop();
    if (!this.drawer) {
      try {
        // A canvas of its own each time: one whose WebGL was taken away may never get it back.
        this.drawer = this.make(document.createElement("canvas"));
      } catch (error) {
        this.failure = error;
        throw error;
      }
    }
    if (this.item !== item) {
      this.item = null; // loading may fail half way
      this.drawer.load(item);
      this.item = item;
    }
    return this.drawer;
  }

  retry() {
    this.failure = null;
  }

  /** Gives all memory back if ``item`` is what is loaded: its viewer is gone, others load theirs when they draw. */
  leave(item) {
    if (!item || this.item !== item) return;
    this.drawer.free();
    this.drop();
  }
}
