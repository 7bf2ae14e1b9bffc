// Gives the nodes that show something their panels. Everything else is loaded when there is something to show.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { follow } from "./viewer/outputs.mjs";
import { learn, say } from "./viewer/words.mjs";

const MIN_HEIGHT = 180;
const SIZE = [420, 340];

const url = (file) => api.apiURL(`/view?${new URLSearchParams({ ...file, rand: String(Math.random()) })}`);

const mesh = () => import("./preview_mesh/panel.mjs");

// For each node: the key of its output, what stands there before, the module of its panel, and what the panel is shown.
// Without words for before, the panel comes with the first thing to show.
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
    load: mesh,
    show: (files) => files.map(url),
  },
  SyncTweediesPreviewSplats: {
    key: "splats",
    before: "Run the workflow to see the splats.",
    load: () => import("./preview_splats/panel.mjs"),
    show: (scenes) => scenes.map((scene) => ({ ...scene, url: url(scene.file) })),
  },
  SaveTexturedMesh: {
    key: "3d",
    load: mesh,
    only: (file) => file.filename.endsWith(".glb"),
    show: (files) => files.map(url),
  },
  IllusionPreview: {
    key: "illusions",
    before: "Run the workflow to see the readings.",
    load: () => import("./illusion/player.mjs"),
    show: (readings) => readings.map((reading) => ({ ...reading, frames: reading.frames.map(url) })),
  },
};

/** A place for a panel in the node: ``show(files, rig)``, ``zoom(scale)``, ``remove()``. */
function addPlace(node, kind) {
  const element = document.createElement("div");
  element.textContent = say(kind.before ?? "");
  Object.assign(element.style, {
    color: "#aaa", font: "12px sans-serif", overflow: "hidden", minHeight: `${MIN_HEIGHT - 20}px`,
  });
  let panel = null; // a promise of the panel
  const failed = (error) => {
    element.textContent = `The viewer could not be loaded: ${error.message}`;
  };
  // (not by the name of an input, which front ends would take it for)
  const name = `${kind.key}_viewer`;
  node.addDOMWidget(name, name, element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => MIN_HEIGHT,
  }).serialize = false;
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1], height)]);

  return {
    show(files, rig) {
      panel ??= kind.load().then(({ Panel }) => new Panel(element));
      panel.then((viewer) => {
        viewer.zoomOfGraph(app.canvas.ds.scale);
        return viewer.show(kind.show(files), rig);
      }).catch(failed);
    },
    zoom: (scale) => panel?.then((viewer) => viewer.zoomOfGraph(scale)).catch(() => {}),
    remove: () => panel?.then((viewer) => viewer.remove()).catch(() => {}),
  };
}

function addPanel(node, kind) {
  let place = kind.before ? addPlace(node, kind) : null;
  let shown = ""; // the output in view

  follow(node, (output) => {
    const files = (output[kind.key] ?? []).filter(kind.only ?? Boolean);
    const now = JSON.stringify([files, output.rig]);
    if (!files.length || now === shown) return;
    shown = now;
    place ??= addPlace(node, kind);
    place.show(files, output.rig); // (rig: outlines of views, where one was connected)
  }, (scale) => place?.zoom(scale));

  const { onRemoved } = node;
  node.onRemoved = function () {
    onRemoved?.apply(this, arguments);
    place?.remove();
  };
}

app.registerExtension({
  name: "SyncTweedies.Preview360",
  init: () => learn(app),
  nodeCreated(node) {
    const kind = PANELS[node.comfyClass];
    if (kind) addPanel(node, kind);
  },
});
