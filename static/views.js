// Which view is shown: the location's hash says it, so that views can be linked to and gone back to.

const VIEWS = ["cluster", "keys"];

/** Shows the view that the hash names ("#cluster", "#keys", "#keys/…"), now and whenever it changes. */
export function startViews() {
  const show = () => {
    const view = viewInHash();
    for (const name of VIEWS) {
      document.getElementById(name).hidden = name !== view;
      const link = document.getElementById(`to-${name}`);
      if (name === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
  addEventListener("hashchange", show);
  show();
  document.querySelector("a.skip").addEventListener("click", skip);
}

/** The hash names the view, and with it the key: the link to the content must not replace it. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus({ preventScroll: true }); // The link has brought the top into sight.
}

function viewInHash() {
  const hash = location.hash.slice(1);
  return VIEWS.find((name) => hash === name || hash.startsWith(`${name}/`)) ?? VIEWS[0];
}
