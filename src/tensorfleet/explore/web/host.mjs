// Brings the explorables of a static page to life, each as it comes near.
//
// A link's fragment may hold the settings of one of them, as #its-id?name=value&name=value;
// what it says is data, checked by the panel itself.
import { Python } from "./python.mjs";
import { mount } from "./view.mjs";

const NEAR = "400px";

// The settings that the fragment holds for this element, as values of the kinds declared.
function settingsInAddress(id, controls) {
  const [name, query] = location.hash.slice(1).split(/\?(.*)/s);
  if (name !== id || !query) return null;
  const kinds = new Map(controls.map((control) => [control.name, control.kind]));
  // What is no value of its kind stays text, which the panel refuses by name.
  const value = (text, kind) => {
    if (kind === "slider" && text.trim() && !isNaN(text)) return Number(text);
    if (kind === "toggle" && /^(true|false)$/.test(text)) return text === "true";
    return text;
  };
  return Object.fromEntries(
    [...new URLSearchParams(query)].map(([key, text]) => [key, value(text, kinds.get(key))]),
  );
}

const starts = []; // of those that have come near
const python = new Python(() => starts.forEach((start) => start()));
addEventListener("pagehide", () => python.leave());
addEventListener("pageshow", ({ persisted }) => persisted && starts.length && python.again());

function bring(element) {
  const description = JSON.parse(element.dataset.description);
  const declared = description.state;
  const asked = settingsInAddress(element.id, description.controls);
  const view = mount(element, { ...description, state: { ...declared, ...asked } }, {
    link: (state) => `#${element.id}?${new URLSearchParams(state)}`,
  });
  const open = (state) => ({ do: "open", panel: element.dataset.explorable, state, after: description.after });

  const fail = (error) => view.status("failed", `This figure stays still: ${error.message}.`);
  let settings = { ...declared, ...asked };
  let trying = asked;

  function start() {
    view.status("starting", "Starting Python in the page …");
    const send = python.session((answer) => {
      if (answer.error && trying) {
        // The link's settings are no good: say so, and begin with the page's own.
        view.note(`The settings in the address cannot be used: ${answer.error}`);
        trying = null;
        settings = declared;
        send(open(settings));
        return;
      }
      trying = null;
      settings = answer.state ?? settings;
      view.receive(answer);
    }, fail);
    view.connect(send);
    send(open(settings));
  }
  function near() {
    starts.push(start);
    start();
  }

  // Who comes by a link to this one is near it before the page has been laid out.
  if (location.hash.slice(1).split("?")[0] === element.id) {
    near();
    if (asked) element.scrollIntoView({ block: "center" });
    return;
  }
  const watcher = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      near();
    },
    { rootMargin: NEAR },
  );
  watcher.observe(element);
}

// The page may still be arriving: an element is whole when something follows it.
const brought = new WeakSet();
function look() {
  for (const element of document.querySelectorAll("[data-explorable]")) {
    if (brought.has(element) || (document.readyState === "loading" && !element.nextElementSibling)) continue;
    brought.add(element);
    try {
      bring(element);
    } catch (error) {
      console.error(error); // and the next one
    }
  }
}
const arriving = new MutationObserver(look);
arriving.observe(document, { childList: true, subtree: true });
addEventListener("DOMContentLoaded", () => {
  arriving.disconnect();
  look();
});
if (document.readyState !== "loading") arriving.disconnect();
look();
// Who comes by a link to one of them is near it already.
if (/^#explorable-/.test(location.hash)) python.start();
// Another link to an explorable of this page: what it holds is read when the page loads.
addEventListener("hashchange", () => {
  const [, name] = location.hash.match(/^#([^?]+)\?/) ?? [];
  if (name && document.getElementById(name)?.dataset.explorable) location.reload();
});
