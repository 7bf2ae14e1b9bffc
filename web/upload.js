// A button that uploads a mesh, with the material file and textures that belong to it, for the node
// SyncTweediesLoadMesh, or a scene of splats for SyncTweediesLoadSplats. The hosts' own upload buttons take pictures
// only.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const NODES = {
  SyncTweediesLoadMesh: {
    what: "mesh",
    one: "a mesh",
    main: [".glb", ".gltf", ".obj", ".ply", ".stl", ".off"],
    beside: [".mtl", ".bin", ".png", ".jpg", ".jpeg", ".webp", ".tga", ".bmp"],
  },
  SyncTweediesLoadSplats: { what: "splats", one: "splats", main: [".ply", ".splat"], beside: [] },
};

// Into the input folder's 3d; files that belong together into a folder of their own, where they keep their names.
async function upload(files, kind) {
  const mesh = files.find((file) => kind.main.some((ending) => file.name.toLowerCase().endsWith(ending)));
  if (!mesh) throw new Error(`choose ${kind.one}: ${kind.main.join(", ")}`);
  const folder = files.length > 1 ? `3d/${mesh.name.replace(/\.[^.]*$/, "")}` : "3d";
  let path = "";
  for (const file of files) {
    const body = new FormData();
    body.append("image", file);
    body.append("subfolder", folder);
    body.append("type", "input");
    if (files.length > 1) body.append("overwrite", "true");
    const answer = await api.fetchApi("/upload/image", { method: "POST", body });
    if (answer.status !== 200) throw new Error(`${file.name}: ${answer.status} ${answer.statusText}`);
    const { name, subfolder } = await answer.json();
    if (file === mesh) path = [...(subfolder ? [subfolder.replaceAll("\\", "/")] : []), name].join("/");
  }
  return path;
}

function addButton(node, kind) {
  // Looked up each time: a subgraph's node makes its widgets anew.
  const list = () => node.widgets?.find((widget) => widget.name === "file");
  if (!list()) return;
  const accept = [...kind.main, ...kind.beside].join(",");
  const multiple = kind.beside.length > 0;
  const chooser = Object.assign(document.createElement("input"), { type: "file", accept, multiple });
  const button = node.addWidget("button", `upload ${kind.what}`, null, () => chooser.click());
  button.serialize = false;
  chooser.onchange = async () => {
    const files = [...chooser.files];
    chooser.value = ""; // the same file may be chosen again
    if (!files.length) return;
    try {
      const path = await upload(files, kind);
      const combo = list();
      const values = combo.options.values;
      if (Array.isArray(values) && !values.includes(path)) values.push(path);
      combo.value = path;
      combo.callback?.(path);
      app.graph.setDirtyCanvas(true);
    } catch (error) {
      alert(`The ${kind.what} could not be uploaded: ${error.message}`);
    }
  };
}

// What such a node in a subgraph loads, where the subgraph's node shows its list of files: blueprints do.
function kindInside(node) {
  if (!node.isSubgraphNode?.()) return undefined;
  const shown = (inner) => inner.inputs?.some((input) => input.name === "file" && input.link != null);
  return NODES[node.subgraph?.nodes?.find((inner) => NODES[inner.type] && shown(inner))?.type];
}

app.registerExtension({
  name: "SyncTweedies.MeshUpload",
  nodeCreated(node) {
    const kind = NODES[node.comfyClass] ?? kindInside(node);
    if (kind) addButton(node, kind);
  },
});
