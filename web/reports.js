// Shows what nodes of this pack say about their work: figures of a report, files that were saved.
import { app } from "../../scripts/app.js";
import { isOurs } from "./fold/rules.mjs";
import { follow } from "./viewer/outputs.mjs";
import { say as inWords } from "./viewer/words.mjs";

const LINE = 17; // pixels
const COLUMN = 6; // pixels of a letter, about
const MOST = 12; // lines; what is longer scrolls
const WIDTH = 340;
const PICTURE = 230; // what a front end gives a picture in a node
// What these nodes are for, so there is a place for it before the first run.
const ALWAYS = new Set(["RigReport", "SyncReport", "IllusionReport"]);
const BEFORE = "Run the workflow to read the report.";

const STYLE = {
  background: "var(--comfy-input-bg, #222)", color: "var(--input-text, #ddd)", border: "none", borderRadius: "6px",
  boxSizing: "border-box", padding: "6px 8px", margin: 0, resize: "none", overflow: "auto", whiteSpace: "pre-wrap",
  font: `12px/${LINE}px sans-serif`, width: "100%", height: "100%",
};

function addBox(node) {
  const box = Object.assign(document.createElement("textarea"), { readOnly: true, placeholder: inWords(BEFORE), spellcheck: false });
  Object.assign(box.style, STYLE);
  box.dataset.syncReport = "";
  box.dataset.captureWheel = "true";
  box.setAttribute("aria-label", "Report");
  box.addEventListener("wheel", (event) => {
    if (box.scrollHeight > box.clientHeight && !event.ctrlKey) event.stopPropagation();
  });
  let height = 0;
  const fit = () => {
    const columns = Math.max(20, (node.size[0] - 40) / COLUMN);
    const lines = box.value.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0);
    height = 12 + LINE * Math.min(MOST, Math.max(2, lines));
    box.style.minHeight = `${height}px`;
  };
  fit();
  node.addDOMWidget("report", "report", box, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => height + 20,
  }).serialize = false;
  return (text, pictures) => {
    if (box.value === text) return;
    box.value = text;
    fit();
    grow(node, pictures);
  };
}

/** As large as its widgets need, and the pictures that some front ends draw below them; never smaller than it is. */
function grow(node, pictures) {
  const counted = node.widgets.some((widget) => widget.name.startsWith("$$"));
  const [width, widgets] = node.computeSize();
  const height = widgets + (pictures && !counted ? PICTURE : 0);
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
  app.graph.setDirtyCanvas(true, true);
}

function addReport(node) {
  let say = null;
  if (ALWAYS.has(node.comfyClass)) {
    say = addBox(node);
    node.setSize([Math.max(node.size[0], WIDTH), Math.max(node.size[1], node.computeSize()[1])]);
  }
  follow(node, (output) => {
    const text = [output.report ?? output.text ?? []].flat().filter(Boolean).join("\n\n");
    if (!text) return;
    say ??= addBox(node);
    say(text, Boolean(output.images?.length));
  });
}

app.registerExtension({
  name: "SyncTweedies.Reports",
  nodeCreated(node) {
    if (isOurs(node)) addReport(node);
  },
});
