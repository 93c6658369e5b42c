// Putting text of others into the page: as text, and only where it has changed, so that what is
// selected or focused stays so.

export const byId = (id) => document.getElementById(id);

/** Make an element with text in it. */
export function make(tag, text = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Have the children of `parent` be one per item, those that stay kept by their key. */
export function reconcile(parent, items, keyOf, create, update) {
  const kept = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    const node = kept.get(key) ?? create(item);
    kept.delete(key);
    node.dataset.key = key;
    if (parent.children[index] !== node) {
      parent.insertBefore(node, parent.children[index] ?? null);
    }
    update(node, item);
  });
  kept.forEach((node) => node.remove());
}

export function clock(seconds) {
  return seconds === null || seconds === undefined ? "" : new Date(seconds * 1000).toLocaleString();
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) {
    return "–";
  }
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}
