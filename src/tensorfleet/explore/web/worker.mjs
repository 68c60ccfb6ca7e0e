// Runs panels in Python, off the main thread: for every page of the book that is open, as a
// shared worker, or for one page, as its own.
//
// A page's messages are for `tensorfleet.explore.session`, as JSON, and so are the answers;
// an empty one says that the page goes. Its own words are objects: { ready: version } first,
// or { failed: reason } at any time, which is its last.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const TIME_LIMIT = 60_000; // milliseconds, for files to arrive

const pages = new Set();

async function start() {
  const folder = new URL("./pyodide/", import.meta.url).href;
  const library = `${folder}python.zip${self.location.search}`;
  const python = await loadPyodide({ indexURL: folder, stdLibURL: library });
  const sessions = python.runPython(
    "from tensorfleet.explore.session import Sessions\nlambda: Sessions().handle",
  );
  return { sessions, version: python.version };
}

// Whoever comes after this gets a new worker.
function fail(error) {
  for (const page of pages) page.postMessage({ failed: String(error.message ?? error) });
  self.close();
}

const late = () => fail(new Error(`its files have not arrived within ${TIME_LIMIT / 1000} s`));
const timer = setTimeout(late, TIME_LIMIT);
const started = start();
started.then(() => clearTimeout(timer), fail);

function serve(page) {
  let handle = null; // answers for the sessions of this page
  const leave = () => {
    pages.delete(page);
    handle?.destroy();
    handle = null;
  };
  pages.add(page);
  page.onclose = leave;
  page.onmessage = async ({ data }) => {
    if (!data) return leave();
    try {
      const { sessions } = await started;
      if (!pages.has(page)) return;
      handle ??= sessions();
      page.postMessage(handle(data));
    } catch (error) {
      fail(error); // not a panel's error, which is an answer: Python itself has died
    }
  };
  started.then(({ version }) => page.postMessage({ ready: version }), () => {});
}

if ("onconnect" in self) self.onconnect = ({ ports: [page] }) => serve(page);
else serve(self);
