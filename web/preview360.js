// Gives the node SyncTweediesPreview360 its picture. Everything else is loaded when there is a picture to show.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const NODES = ["SyncTweediesPreview360"];
const MIN_HEIGHT = 180;

function addViewer(node) {
  const element = document.createElement("div");
  element.textContent = "Run the workflow to look around in the panorama.";
  Object.assign(element.style, { color: "#aaa", font: "12px sans-serif", overflow: "hidden" });
  let shown = null; // the output in view
  let panel = null; // a promise of the viewer

  const urls = (files) =>
    files.map((file) => api.apiURL(`/view?${new URLSearchParams({ ...file, rand: String(Math.random()) })}`));

  const failed = (error) => {
    element.textContent = `The viewer could not be loaded: ${error.message}`;
  };

  const show = (output) => {
    if (!output?.panoramas?.length || output.panoramas === shown) return;
    shown = output.panoramas;
    panel ??= import("./preview360/panel.mjs").then(({ Panel }) => new Panel(element));
    panel.then((viewer) => viewer.show(urls(output.panoramas))).catch(failed);
  };

  node.addDOMWidget("panorama", "panorama", element, {
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
    if (NODES.includes(node.comfyClass)) addViewer(node);
  },
});
