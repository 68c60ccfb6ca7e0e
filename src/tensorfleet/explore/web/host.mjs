// Brings the explorables of a static page to life, each as it comes near.
//
// One worker serves all of a page. A link's fragment may hold the settings of one of them,
// as #its-id?name=value&name=value; what it says is data, checked by the panel itself.
import { mount } from "./view.mjs";

const TIME_LIMIT = 20_000; // milliseconds, for Python to start
const NEAR = "400px";

class Python {
  #sessions = new Map(); // id → { answered, failed }
  #count = 0;

  // The worker's beginning, once for the page; a rejection says why there is none.
  start() {
    this.ready ??= new Promise((resolve, reject) => {
      const late = () => reject(new Error(`Python has not started within ${TIME_LIMIT / 1000} s`));
      const timer = setTimeout(late, TIME_LIMIT);
      this.worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
      this.worker.onerror = (event) => {
        event.preventDefault();
        const error = new Error(event.message || "its program could not be loaded");
        reject(error);
        for (const { failed } of this.#sessions.values()) failed(error); // it has died since
      };
      this.worker.onmessage = ({ data }) => {
        if (typeof data === "string") {
          const answer = JSON.parse(data);
          this.#sessions.get(answer.id).answered(answer);
        }
        else if (data.ready) resolve(clearTimeout(timer));
        else reject(new Error(data.failed));
      };
    }).catch((error) => {
      this.worker?.terminate();
      throw error;
    });
    return this.ready;
  }

  // What sends messages for a session; `answered` is called with each answer.
  session(answered, failed) {
    const id = `session ${++this.#count}`;
    this.#sessions.set(id, { answered, failed });
    return (message) => this.worker.postMessage(JSON.stringify({ ...message, id }));
  }
}

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

const python = new Python();

function bring(element) {
  const description = JSON.parse(element.dataset.description);
  const declared = description.state;
  const asked = settingsInAddress(element.id, description.controls);
  const view = mount(element, { ...description, state: { ...declared, ...asked } }, {
    link: (state) => `#${element.id}?${new URLSearchParams(state)}`,
  });
  const open = (state) => ({ do: "open", panel: element.dataset.explorable, state, after: description.after });

  const fail = (error) => view.status("failed", `This figure stays still: ${error.message}.`);

  async function start() {
    view.status("starting", "Starting Python in the page …");
    try {
      await python.start();
    } catch (error) {
      fail(error);
      return;
    }
    let trying = asked;
    const send = python.session((answer) => {
      if (answer.error && trying) {
        // The link's settings are no good: say so, and begin with the page's own.
        view.note(`The settings in the address cannot be used: ${answer.error}`);
        trying = null;
        send(open(declared));
        return;
      }
      trying = null;
      view.receive(answer);
    }, fail);
    view.connect(send);
    send(open({ ...declared, ...asked }));
  }

  const watcher = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      start();
    },
    { rootMargin: NEAR },
  );
  watcher.observe(element);
  if (asked) element.scrollIntoView({ block: "center" });
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
if (/^#explorable-/.test(location.hash)) python.start().catch(() => {});
// Another link to an explorable of this page: what it holds is read when the page loads.
addEventListener("hashchange", () => {
  const [, name] = location.hash.match(/^#([^?]+)\?/) ?? [];
  if (name && document.getElementById(name)?.dataset.explorable) location.reload();
});
