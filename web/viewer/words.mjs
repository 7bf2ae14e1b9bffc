// What the scripts of this pack show, in the language of the front end. The files are made by docs/make_locales.py.

const LANGUAGES = ["zh", "ja", "ko", "fr", "de", "es"];
let words = {};

/** Reads the words of the front end's language. Without a file, and on front ends that have one language, English. */
export async function learn(app) {
  const language = app.extensionManager?.setting?.get?.("Comfy.Locale");
  if (!LANGUAGES.includes(language)) return;
  try {
    const answer = await fetch(new URL(`../words/${language}.json`, import.meta.url));
    if (answer.ok) words = await answer.json();
  } catch {
    // English, then: words are no reason to have no viewer
  }
}

/** A text in the language; of a hint, which says in parts what keys and buttons do, each part. */
export const say = (text) => words[text] ?? text.split(" · ").map((part) => words[part] ?? part).join(" · ");

/** A text in the language, with a value in place of each # in it. */
export function fill(text, ...values) {
  const left = [...values];
  return say(text).replace(/#/g, () => left.shift());
}
