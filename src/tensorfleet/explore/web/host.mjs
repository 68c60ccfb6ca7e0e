// Brings the explorables of a static page to life, each as it comes near.
//
// One worker serves the page, and where the browser knows shared workers, all pages: the
// next page finds Python running. (A browser that knows `extendedLifetime` keeps it over the
// moment when one page has gone and the next has not come.)
//
// A link's fragment may hold the settings of one of them, as #its-id?name=value&name=value;
// what it says is data, checked by the panel itself.
import version from "./version.mjs";
import { mount } from "./view.mjs";

const TIME_LIMIT = 20_000; // milliseconds, for Python to start
const NEAR = "400px";

class Python {
  #sessions = new Map(); // id → { answered, failed }
  #page = Math.random().toString(36).slice(2); // tells its sessions from other pages'
  #port = null; // the way to the worker
  #timer = 0;
  #error = null; // why there is no Python, or none any more

  // Connect to the worker, which may have to start Python first.
  start() {
    if (this.#port) return;
    const worker = connect();
    const late = () => this.#fail(`Python has not started within ${TIME_LIMIT / 1000} s`);
    this.#timer = setTimeout(late, TIME_LIMIT);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message || "its program could not be loaded");
    };
    this.#port = worker.port ?? worker;
    this.#port.onmessage = ({ data }) => {
      if (typeof data === "string") {
        const answer = JSON.parse(data);
        this.#sessions.get(answer.id)?.answered(answer);
      }
      else if (data.ready) clearTimeout(this.#timer);
      else this.#fail(data.failed);
    };
  }

  // What sends messages for a session; `answered` is called with each answer. Messages
  // wait in the worker until Python is there.
  session(answered, failed) {
    this.start();
    const id = `${this.#page} ${this.#sessions.size + 1}`;
    this.#sessions.set(id, { answered, failed });
    if (this.#error) failed(this.#error);
    return (message) => this.#port.postMessage(JSON.stringify({ ...message, id }));
  }

  // The page goes: what it has opened is closed. An empty message is a page's last.
  leave() {
    for (const id of this.#sessions.keys()) this.#port.postMessage(JSON.stringify({ do: "close", id }));
    this.#sessions.clear();
    this.#port?.postMessage("");
    this.#end();
    this.#port = this.#error = null;
  }

  #fail(reason) {
    this.#error = new Error(reason);
    this.#end();
    for (const { failed } of this.#sessions.values()) failed(this.#error);
  }

  #end() {
    clearTimeout(this.#timer);
    (this.#port?.terminate ?? this.#port?.close)?.call(this.#port);
  }
}

// A book that has been built anew is another program, which its pages must not mix up.
function connect() {
  const program = new URL("./worker.mjs", import.meta.url);
  if (!globalThis.SharedWorker) return new Worker(program, { type: "module" });
  return new SharedWorker(program, { type: "module", name: version, extendedLifetime: true });
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
const starts = []; // of those that have come near
addEventListener("pagehide", () => python.leave());
// A page that the browser had kept is shown once more.
addEventListener("pageshow", ({ persisted }) => persisted && starts.forEach((start) => start()));

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
        send(open(declared));
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
