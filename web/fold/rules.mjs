// What the declarations of a node say (nodes/declare.py), and what of its inputs is folded away by them, by values and
// by links.

/** Whether a node is one of the pack's. */
export const isOurs = (node) => Boolean(node.constructor.category?.startsWith("SyncTweedies"));

/** Options of every input of a node, by name, as nodes/v1.py gives them. */
export function optionsOf(node) {
  const { required = {}, optional = {} } = node.constructor.nodeData?.input ?? {};
  return Object.fromEntries(Object.entries({ ...required, ...optional }).map(([name, spec]) => [name, spec[1] ?? {}]));
}

/** Whether a condition holds: a list of choices, ``{not: value}`` or ``{linked: true}``. of: the input it is about. */
export function holds(condition, of) {
  if (condition.linked) return Boolean(of?.linked);
  if (!of || of.linked) return true; // what comes by a link is known when it comes
  return Array.isArray(condition) ? condition.includes(of.value) : of.value !== condition.not;
}

/**
 * For each input: "shown", "rare" (advanced) or "idle" (without meaning as things are). options: of all, by name;
 * inputs: ``{value, linked}`` of those that the node has. What is linked is never folded.
 */
export function folds(options, inputs) {
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => {
    if (input.linked) return [name, "shown"];
    const conditions = Object.entries(options[name]?.shown_when ?? {});
    if (!conditions.every(([of, condition]) => holds(condition, inputs[of]))) return [name, "idle"];
    return [name, options[name]?.advanced ? "rare" : "shown"];
  }));
}

/**
 * The height of a node that was ``saved`` high: one made for all its widgets (``full``) gives back what is folded, any
 * other keeps its height, and none is too low for what it shows (``needed``).
 */
export function height(saved, full, needed) {
  const made = saved > full - 10 && saved < full + 60;
  return Math.max(needed, made ? saved - (full - needed) : saved);
}
