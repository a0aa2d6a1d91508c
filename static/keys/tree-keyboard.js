// The keys of a keyboard in the tree (ARIA Authoring Practices, tree view pattern).

/** Each key does its part with `controls` (see tree.js) and the row at which the keyboard is. */
const ACTIONS = {
  ArrowDown: (controls, row) => controls.moveTo(row + 1),
  ArrowUp: (controls, row) => controls.moveTo(row - 1),
  PageDown: (controls, row) => controls.moveTo(row + controls.rowsInSight()),
  PageUp: (controls, row) => controls.moveTo(row - controls.rowsInSight()),
  Home: (controls) => controls.moveTo(0),
  End: (controls) => controls.moveTo(controls.rows() - 1),
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
  const action = ACTIONS[event.key];
  if (action === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  const row = controls.activeRow();
  if (row >= 0) action(controls, row);
}
