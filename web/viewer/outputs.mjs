// What a node has put out, told to whoever shows it in the node: after a run, and whenever the node is made anew and the
// front end still knows it (a workflow tab that comes back, undo, a subgraph that is entered, made or unpacked).
import { app } from "../../../scripts/app.js";

const followers = new WeakMap(); // node -> { takes, zooms, output }
let fresh = false; // whether a node was made since the graph was drawn

const root = () => app.rootGraph ?? app.graph;
const nodesOf = (graph) => graph.nodes ?? graph._nodes ?? [];
const graphs = () => (root() ? [root(), ...(root().subgraphs?.values() ?? [])] : []);

/** Ids of the nodes on each way from a graph down to a subgraph. */
const ways = (from, to) => nodesOf(from).filter((node) => node.subgraph).flatMap((node) => (
  node.subgraph === to ? [[node.id]] : ways(node.subgraph, to).map((way) => [node.id, ...way])
));

/** What front ends keep the output of a node under: its id; in a subgraph the subgraph's and its own, or all on the way. */
function keys(node) {
  const { graph, id } = node;
  if (graph === root() || graph.isRootGraph !== false) return [String(id)];
  return [`${graph.id}:${id}`, ...ways(root(), graph).map((way) => [...way, id].join(":"))];
}

function tell(node, output) {
  const follower = followers.get(node);
  follower.output = output;
  for (const take of follower.takes) take(output);
}

function look(node) {
  const found = node.graph && keys(node).map((key) => app.nodeOutputs?.[key]).find(Boolean);
  if (found) tell(node, found);
  return Boolean(found);
}

/**
 * The node that ``info`` was written from, if it is still in the graph: one that is made or unpacked with a subgraph is a
 * copy, at the same place, while the first is still there.
 */
function original(node, info) {
  const same = (other) => other !== node && other.type === node.type && followers.get(other)?.output
    && [0, 1].every((i) => other.pos[i] === info.pos?.[i] && other.size[i] === info.size?.[i]);
  return graphs().flatMap(nodesOf).find(same);
}

function configured(node, info) {
  if (!node.graph || look(node)) return;
  const before = original(node, info);
  if (!before) return;
  const { output } = followers.get(before);
  if (app.nodeOutputs) app.nodeOutputs[keys(node)[0]] = output; // so that it survives a change of tab as well
  tell(node, output);
}

/** ``take(output)`` with what the node puts out, maybe often with the same; ``zoom(scale)`` when the graph is zoomed. */
export function follow(node, take, zoom) {
  const known = followers.get(node);
  if (known) {
    known.takes.push(take);
    if (zoom) known.zooms.push(zoom);
    return;
  }
  followers.set(node, { takes: [take], zooms: zoom ? [zoom] : [] });
  fresh = true;
  const { onExecuted, onConfigure } = node;
  node.onExecuted = function (output) {
    onExecuted?.apply(this, arguments);
    if (output) tell(this, output);
  };
  node.onConfigure = function (info) {
    onConfigure?.apply(this, arguments);
    configured(this, info);
  };
}

function each(act) {
  for (const node of graphs().flatMap(nodesOf)) if (followers.has(node)) act(node);
}

/** Older front ends announce nothing: the outputs of another workflow are another object, or its nodes are new. */
function watchDrawing(canvas) {
  const { onDrawForeground } = canvas;
  let [outputs, scale] = [app.nodeOutputs, canvas.ds.scale];
  canvas.onDrawForeground = function () {
    onDrawForeground?.apply(this, arguments);
    if (app.nodeOutputs !== outputs || fresh) {
      outputs = app.nodeOutputs;
      fresh = false;
      each(look);
    }
    if (canvas.ds.scale !== scale) {
      scale = canvas.ds.scale;
      each((node) => followers.get(node).zooms.forEach((zoom) => zoom(scale)));
    }
  };
}

app.registerExtension({
  name: "SyncTweedies.Outputs",
  setup: () => watchDrawing(app.canvas),
  onNodeOutputsUpdated: () => each(look),
});
