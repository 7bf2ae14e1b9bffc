// What of a node's inputs is folded away: told by their declarations (nodes/declare.py), values and links.

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
