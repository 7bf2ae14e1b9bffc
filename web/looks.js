// How inputs of this pack look in the graph: colours of its sockets and links, and words for choices that are numbers.
import { app } from "../../scripts/app.js";
import { isOurs, optionsOf } from "./fold/rules.mjs";

// Types that no palette of a front end knows; each stands out from dark and from light nodes.
const COLOURS = {
  CANONICAL_SPACE: "#119d8f",
  VIEW_RIG: "#e2507a",
  VISITS: "#8f9623",
  EDIT: "#b06ae0",
  VIDEO_MOTION: "#5a9440",
  PULL: "#5b87f0",
  CANONICAL_OPERATOR: "#8d7f72",
  MESH: "#7d8fae",
  SPLAT: "#c9872b",
};

/** Give a type its colour where the palette in use says nothing about it. */
function colourSockets() {
  for (const known of [app.canvas?.default_connection_color_byType, app.canvas?.constructor.link_type_colors]) {
    for (const [type, colour] of Object.entries(known ? COLOURS : {})) known[type] ||= colour;
  }
}

/** Nodes 2.0 reads variables, which a palette writes where they win over these. */
function styleSockets() {
  const style = document.createElement("style");
  const lines = Object.entries(COLOURS).map(([type, colour]) => `--color-datatype-${type}: ${colour};`);
  style.textContent = `:root { ${lines.join(" ")} }`;
  document.head.append(style);
}

/** Show words for the choices of a widget whose declaration has some; what is saved stays. */
function nameChoices(node) {
  for (const [name, { labels }] of Object.entries(optionsOf(node))) {
    const widget = labels && node.widgets?.find((candidate) => candidate.name === name);
    if (widget) widget.options.getOptionLabel = (value) => labels[value] ?? value ?? "";
  }
}

app.registerExtension({
  name: "SyncTweedies.Looks",
  setup() {
    styleSockets();
    colourSockets();
    // A palette that is chosen forgets all colours of the one before, and changes the page's style.
    new MutationObserver(colourSockets).observe(document.documentElement, { attributeFilter: ["style"] });
    new MutationObserver(colourSockets).observe(document.body, { attributeFilter: ["style", "class"] });
  },
  nodeCreated(node) {
    if (!isOurs(node)) return;
    colourSockets();
    nameChoices(node);
  },
});
