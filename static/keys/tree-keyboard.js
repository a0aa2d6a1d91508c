// The keys of a keyboard in the tree (ARIA Authoring Practices, tree view pattern).

/** Letters that follow each other faster than this are the beginning of one name; a slower one begins anew. */
export const TYPED_TOGETHER_MS = 700;
/** The longest key: nothing that is longer is the beginning of a name. */
const MAX_TYPED = 1024;

let typed = "";
let typing = 0;

/** Each key does its part with `controls` (see tree.js) and the row at which the keyboard is. */
const ACTIONS = {
  ArrowDown: (controls, row) => controls.moveTo(row + 1),
  ArrowUp: (controls, row) => controls.moveTo(row - 1),
  PageDown: (controls, row) => controls.moveTo(row + controls.rowsInSight()),
  PageUp: (controls, row) => controls.moveTo(row - controls.rowsInSight()),
  Home: (controls) => controls.moveTo(0),
  End: (controls) => controls.moveTo(Infinity),
  Enter: (controls, row) => controls.act(row),
  " ": (controls, row) => controls.act(row),
  ArrowRight(controls, row) {
    const { entry, isOpen } = controls.look(row);
    if (!entry?.isFolder) return;
    if (isOpen) controls.moveTo(row + 1);
    else controls.act(row);
  },
  ArrowLeft(controls, row) {
    const { entry, isOpen, folder } = controls.look(row);
    if (entry?.isFolder && isOpen) return controls.act(row);
    const parent = controls.rowOfFolder(folder);
    if (parent >= 0) controls.moveTo(parent);
  },
};

/** Acts on a keydown event of the tree; leaves alone what it does not know, and what is pressed with Ctrl, Alt or Meta. */
export function pressed(event, controls) {
  const action = ACTIONS[event.key] ?? (isCharacter(event.key) ? typeAhead : undefined);
  // For AltGr, which some characters need, Windows says that Ctrl and Alt are pressed.
  const isCommand = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph");
  if (action === undefined || isCommand) return;
  event.preventDefault();
  if (action !== typeAhead) typed = "";
  const row = controls.activeRow();
  if (row >= 0) action(controls, row, event.key);
}

/** Other keys have names, such as "Shift". */
function isCharacter(key) {
  return Array.from(key).length === 1;
}

/**
 * Goes to the next row whose name begins with what has been typed, upper or lower case. One character again and again goes from each
 * name that begins with it to the next.
 */
function typeAhead(controls, row, key) {
  const character = key.toLowerCase();
  typed = (typed + character).slice(0, MAX_TYPED);
  clearTimeout(typing);
  typing = setTimeout(() => (typed = ""), TYPED_TOGETHER_MS);
  let found = typed === character ? -1 : rowOfName(controls, typed, row);
  const isRepeated = typed.replaceAll(character, "") === "";
  if (found < 0 && isRepeated) found = rowOfName(controls, character, row + 1);
  if (found >= 0) controls.moveTo(found);
}

/** The first row from one on whose name begins with a text, or else the first of all; -1 for none. */
function rowOfName(controls, text, from) {
  let first = -1;
  for (const { row, name } of controls.names()) {
    if (!name.toLowerCase().startsWith(text)) continue;
    if (row >= from) return row;
    if (first < 0) first = row;
  }
  return first;
}
