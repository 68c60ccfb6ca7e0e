// Brings the explorables of a static page to life, each as it comes near.
//
// One worker serves all of a page. A link's fragment may hold the settings of one of them,
// as #its-id?name=value&name=value; what it says is data, checked by the panel itself.
import { mount } from "./view.mjs";

const TIME_LIMIT = 20_000; // milliseconds, for Python to start
const NEAR = "400px";

class Python {
  #answers = new Map();

  // The worker's beginning, once for the page; a rejection says why there is none.
  start() {
    this.ready ??= new Promise((resolve, reject) => {
      const late = () => reject(new Error(`Python has not started within ${TIME_LIMIT / 1000} s`));
      const timer = setTimeout(late, TIME_LIMIT);
      this.worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
      this.worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message || "its program could not be loaded"));
      };
      this.worker.onmessage = ({ data }) => {
        if (typeof data === "string") this.#answer(JSON.parse(data));
        else if (data.ready) resolve(clearTimeout(timer));
        else reject(new Error(data.failed));
      };
    }).catch((error) => {
      this.worker?.terminate();
      throw error;
    });
    return this.ready;
  }

  // What sends messages for the session `id`, and calls `answered` with each answer.
  session(id, answered) {
    this.#answers.set(id, answered);
    return (message) => this.worker.postMessage(JSON.stringify({ ...message, id }));
  }

  #answer(answer) {
    this.#answers.get(answer.id)?.(answer);
  }
}

// The settings that the fragment holds for this element, as values of the kinds declared.
function settingsInAddress(id, controls) {
  const [name, query] = decodeURI(location.hash.slice(1)).split(/\?(.*)/s);
  if (name !== id || !query) return null;
  const kinds = new Map(controls.map((control) => [control.name, control.kind]));
  const value = (text, kind) =>
    kind === "slider" ? Number(text) : kind === "toggle" ? text === "true" : text;
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

  async function start() {
    view.status("starting", "Starting Python in the page …");
    try {
      await python.start();
    } catch (error) {
      view.status("failed", `This figure stays still: ${error.message}.`);
      return;
    }
    let trying = asked;
    const send = python.session(element.id, (answer) => {
      if (answer.error && trying) {
        // The link's settings are no good: say so, and begin with the page's own.
        view.note(`The settings in the address cannot be used: ${answer.error}`);
        trying = null;
        send(open(declared));
        return;
      }
      trying = null;
      view.receive(answer);
    });
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
    bring(element);
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
addEventListener("hashchange", ({ newURL }) => {
  if (/#[^?]+\?/.test(newURL) && document.querySelector("[data-explorable]")) location.reload();
});
