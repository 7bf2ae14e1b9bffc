// Folds away what of a node's inputs has no meaning with the choices made, and what is rarely touched until it is asked
// for. Values, their order and links stay as they are: only what is in view changes.
import { app } from "../../scripts/app.js";
import { folds, height, isOurs, optionsOf } from "./fold/rules.mjs";
import { fill } from "./viewer/words.mjs";

const MORE = "synctweedies_more"; // a property of the node, on front ends that keep no such state themselves
const TEXT = 70; // pixels
const ALWAYS = "Comfy.Node.AlwaysShowAdvancedWidgets"; // the host's setting

const keepsState = (node) => typeof node.toggleAdvanced === "function";
const always = () => Boolean(app.extensionManager?.setting?.get?.(ALWAYS));
const isOpen = (node) => Boolean(keepsState(node) ? node.showAdvanced : node.properties?.[MORE]);

function setOpen(node, open) {
  if (keepsState(node)) node.showAdvanced = open || undefined;
  else if (open) node.setProperty(MORE, true);
  else delete node.properties[MORE];
}

/** ``{value, linked}`` of every input that may be folded or that others depend on. */
function inputsOf(node, options) {
  const found = {};
  for (const { name, link, widget } of node.inputs ?? []) found[widget?.name ?? name] = { linked: link != null };
  for (const { name, value, type } of node.widgets ?? []) {
    if (!(name in options)) continue;
    const linked = Boolean(found[name]?.linked) || String(type).startsWith("converted-widget");
    found[name] = { value, linked };
  }
  return found;
}

/** Take no room: front ends of 2025 keep some for hidden widgets; those of 2024 know none (typed), only their type. */
function shrink(widget, hidden, typed) {
  const kept = widget.syncFolded;
  if (hidden === Boolean(kept)) return;
  if (hidden) {
    widget.syncFolded = { type: widget.type, computeSize: Object.getOwnPropertyDescriptor(widget, "computeSize") };
    if (typed) widget.type = "hidden";
    widget.computeSize = () => [0, -4];
    return;
  }
  delete widget.syncFolded;
  if (typed && widget.type !== "hidden") { // the user has made an input of it: then that is what it goes back to
    Object.assign(widget, { origType: kept.type, origComputeSize: kept.computeSize?.value });
    return;
  }
  widget.type = kept.type;
  if (kept.computeSize) Object.defineProperty(widget, "computeSize", kept.computeSize);
  else delete widget.computeSize;
}

function hide(node, widget, hidden, idle) {
  if (!node.getLayoutWidgets) shrink(widget, hidden, !node.isWidgetVisible);
  if (!node.isWidgetVisible) return;
  widget.hidden = hidden;
  // Nodes 2.0 goes by the options, and folds rare inputs itself. What it shows are those it keeps, which tell it of a
  // change, and may still be those of a node that had the same number before.
  for (const options of [widget._state?.options, widget.options]) {
    if (options && Boolean(options.hidden) !== idle) options.hidden = idle;
  }
}

class Fold {
  constructor(node) {
    this.node = node;
    this.options = optionsOf(node);
    const of = Object.entries(this.options);
    this.names = new Set(of.filter(([, { advanced, shown_when: when }]) => advanced || when).map(([name]) => name));
    this.controls = new Set(of.flatMap(([, option]) => Object.keys(option.shown_when ?? {})));
    this.seen = "";
    if (of.some(([, { advanced }]) => advanced)) this.addButton();
  }

  /** Those that may be folded away. */
  widgets() {
    return (this.node.widgets ?? []).filter((widget) => this.names.has(widget.name));
  }

  addButton() {
    const toggle = () => {
      setOpen(this.node, !isOpen(this.node));
      this.update();
    };
    this.button = this.node.addWidget("button", "more", null, toggle, { serialize: false, canvasOnly: true });
    this.button.serialize = false;
  }

  /** What the fold depends on, in a word. */
  state() {
    const inputs = inputsOf(this.node, this.options);
    const kinds = folds(this.options, inputs);
    return { kinds, open: isOpen(this.node) || always() };
  }

  /** Hide and show by a state, or all of it shown. */
  apply({ kinds, open }) {
    for (const widget of this.widgets()) {
      const kind = kinds[widget.name] ?? "shown";
      const hidden = kind === "idle" || (kind === "rare" && !open);
      for (const part of [widget, ...(widget.linkedWidgets ?? [])]) hide(this.node, part, hidden, kind === "idle");
    }
    if (!this.button) return;
    const rare = Object.values(kinds).filter((kind) => kind === "rare").length;
    this.button.label = open ? fill("fewer") : fill("# more", rare);
    hide(this.node, this.button, !rare || always(), false);
  }

  needed() {
    return this.node.computeSize()[1];
  }

  /** With room for texts of several lines, which would be content with two. */
  wanted() {
    const texts = this.widgets().filter((widget) => widget.element && !widget.hidden && !widget.syncFolded);
    return this.needed() + TEXT * texts.length;
  }

  /** After a change: as much higher or lower as what is in view. */
  update() {
    const state = this.state();
    const seen = JSON.stringify(state);
    if (seen === this.seen) return;
    this.seen = seen;
    const before = this.wanted();
    this.apply(state);
    this.resize(Math.max(this.needed(), this.node.size[1] + this.wanted() - before));
  }

  /** Once more, also where nothing has changed: in a graph, a front end may give widgets what it kept of others. */
  again() {
    this.seen = "";
    this.update();
  }

  /** After a file was read: its sizes count. */
  configured() {
    this.seen = "";
    const saved = this.node.size[1];
    this.apply({ kinds: {}, open: true });
    const full = this.needed();
    const state = this.state();
    this.seen = JSON.stringify(state);
    this.apply(state);
    this.resize(height(saved, full, this.needed()));
  }

  resize(to) {
    const { node } = this;
    if (Math.abs(to - node.size[1]) >= 1) node.setSize([node.size[0], to]);
    app.graph?.setDirtyCanvas?.(true, true);
  }

  /** Whenever something may have changed. */
  watch() {
    const after = (owner, name, act) => {
      const inner = owner[name];
      owner[name] = function () {
        const answer = inner?.apply(this, arguments);
        act();
        return answer;
      };
    };
    after(this.node, "onAdded", () => this.again());
    after(this.node, "onConfigure", () => this.configured());
    after(this.node, "onConnectionsChange", () => this.update());
    after(this.node, "onDrawForeground", () => this.update()); // values that another script has set
    for (const widget of this.node.widgets ?? []) {
      if (this.controls.has(widget.name)) after(widget, "callback", () => this.update());
    }
  }
}

app.registerExtension({
  name: "SyncTweedies.Fold",
  nodeCreated(node) {
    if (!isOurs(node)) return;
    const fold = new Fold(node);
    if (!fold.names.size) return;
    fold.watch();
    fold.update();
  },
});
