// Gives the nodes that show something their panels. Everything else is loaded when there is something to show.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const MIN_HEIGHT = 180;

const url = (file) => api.apiURL(`/view?${new URLSearchParams({ ...file, rand: String(Math.random()) })}`);

// For each node: the key of its output, what stands there before, the module of its panel, and what the panel is shown.
const PANELS = {
  SyncTweediesPreview360: {
    key: "panoramas",
    before: "Run the workflow to look around in the panorama.",
    load: () => import("./preview360/panel.mjs"),
    show: (files) => files.map(url),
  },
  SyncTweediesPreviewMesh: {
    key: "meshes",
    before: "Run the workflow to see the mesh.",
    load: () => import("./preview_mesh/panel.mjs"),
    show: (files) => files.map(url),
  },
  IllusionPreview: {
    key: "illusions",
    before: "Run the workflow to see the readings.",
    load: () => import("./illusion/player.mjs"),
    show: (readings) => readings.map((reading) => ({ ...reading, frames: reading.frames.map(url) })),
  },
};

function addPanel(node, kind) {
  const element = document.createElement("div");
  element.textContent = kind.before;
  Object.assign(element.style, { color: "#aaa", font: "12px sans-serif", overflow: "hidden" });
  let shown = null; // the output in view
  let panel = null; // a promise of the panel

  const failed = (error) => {
    element.textContent = `The viewer could not be loaded: ${error.message}`;
  };

  const show = (output) => {
    const files = output?.[kind.key];
    if (!files?.length || files === shown) return;
    shown = files;
    panel ??= kind.load().then(({ Panel }) => new Panel(element));
    panel.then((viewer) => viewer.show(kind.show(files))).catch(failed);
  };

  node.addDOMWidget(kind.key, kind.key, element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => MIN_HEIGHT,
    // Called with every drawing of the graph: outputs that come back with a workflow tab are not announced otherwise.
    onDraw: () => {
      show(app.nodeOutputs?.[node.id]);
      panel?.then((viewer) => viewer.zoomOfGraph(app.canvas.ds.scale)).catch(() => {});
    },
  }).serialize = false;

  const { onExecuted, onRemoved } = node;
  node.onExecuted = function (output) {
    onExecuted?.apply(this, arguments);
    show(output);
  };
  node.onRemoved = function () {
    onRemoved?.apply(this, arguments);
    panel?.then((viewer) => viewer.remove()).catch(() => {});
  };
  node.setSize([Math.max(node.size[0], 420), Math.max(node.size[1], 340)]);
}

app.registerExtension({
  name: "SyncTweedies.Preview360",
  nodeCreated(node) {
    const kind = PANELS[node.comfyClass];
    if (kind) addPanel(node, kind);
  },
});
