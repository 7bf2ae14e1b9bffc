// Shows what nodes of this pack say about their work: figures of a report, files that were saved.
import { app } from "../../scripts/app.js";
import { follow } from "./viewer/outputs.mjs";

const LINE = 17; // pixels
const MOST = 12; // lines; what is longer scrolls
const WIDTH = 340;
// What these nodes are for, so there is a place for it before the first run.
const ALWAYS = new Set(["RigReport", "SyncReport", "IllusionReport"]);
const BEFORE = "Run the workflow to read the report.";

const STYLE = {
  background: "var(--comfy-input-bg, #222)", color: "var(--input-text, #ddd)", border: "none", borderRadius: "6px",
  boxSizing: "border-box", padding: "6px 8px", margin: 0, resize: "none", overflow: "auto", whiteSpace: "pre-wrap",
  font: `12px/${LINE}px sans-serif`, width: "100%", height: "100%",
};

function addBox(node) {
  const box = Object.assign(document.createElement("textarea"), { readOnly: true, placeholder: BEFORE, spellcheck: false });
  Object.assign(box.style, STYLE);
  box.dataset.syncReport = "";
  box.dataset.captureWheel = "true";
  box.setAttribute("aria-label", "Report");
  box.addEventListener("wheel", (event) => {
    if (box.scrollHeight > box.clientHeight && !event.ctrlKey) event.stopPropagation();
  });
  let height = 0;
  // Empty columns of a line are not counted: a line that is wrapped scrolls.
  const fit = () => {
    height = 12 + LINE * Math.min(MOST, Math.max(2, box.value.split("\n").length));
    box.style.minHeight = `${height}px`;
  };
  fit();
  node.addDOMWidget("report", "report", box, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => height + 20,
  }).serialize = false;
  return (text) => {
    if (box.value === text) return;
    box.value = text;
    fit();
    grow(node);
  };
}

/** As large as its widgets need; never smaller than it is. */
function grow(node) {
  const [width, height] = node.computeSize();
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
    say(text);
  });
}

app.registerExtension({
  name: "SyncTweedies.Reports",
  nodeCreated(node) {
    if (node.constructor.category?.startsWith("SyncTweedies")) addReport(node);
  },
});
