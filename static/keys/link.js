// Which key: the location's hash says it, so that keys can be linked to.

/** The key that the hash names: "" for none, null where its percent-encoding is broken, undefined in another view. */
export function linkedKey() {
  const [view, ...rest] = location.hash.slice(1).split("/");
  if (view !== "keys") return undefined;
  try {
    return decodeURIComponent(rest.join("/"));
  } catch {
    return null;
  }
}

/** Has the hash name a key, or none (null). It fills no history. */
export function rememberKey(key) {
  if (!location.hash.startsWith("#keys")) return; // Another view is shown by now.
  history.replaceState(null, "", key === null ? "#keys" : `#keys/${encodeURIComponent(key)}`);
}
