// What the theme's buttons do, in place of its inline handlers, which the book's
// Content-Security-Policy forbids.
const DOES = { "full-screen": () => window.toggleFullScreen(), print: () => window.print() };

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-does]");
  if (button) DOES[button.dataset.does]();
});
