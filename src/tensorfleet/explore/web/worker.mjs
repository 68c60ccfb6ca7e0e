// Runs panels in Python, off the main thread: for every page of the book that is open, as a
// shared worker, or for one page, as its own.
//
// It takes messages for `tensorfleet.explore.session` as JSON, and posts their answers as
// JSON. Its own words are objects: { ready: version } first, or { failed: reason } at any
// time, which is its last.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const pages = new Set();

async function start() {
  const folder = new URL("./pyodide/", import.meta.url).href;
  const python = await loadPyodide({ indexURL: folder, stdLibURL: `${folder}python.zip` });
  const handle = python.runPython(
    "from tensorfleet.explore.session import Sessions\nSessions().handle",
  );
  return { handle, version: python.version };
}
const started = start();

// Whoever comes after this gets a new worker.
function fail(error) {
  for (const page of pages) page.postMessage({ failed: String(error.message ?? error) });
  self.close();
}
started.catch(fail);

function serve(page) {
  pages.add(page);
  started.then(({ version }) => page.postMessage({ ready: version }), () => {});
  page.onmessage = async ({ data }) => {
    if (!data) return pages.delete(page); // it has gone
    const { handle } = await started;
    try {
      page.postMessage(handle(data));
    } catch (error) {
      fail(error); // not a panel's error, which is an answer: Python itself has died
    }
  };
}

if ("onconnect" in self) self.onconnect = ({ ports: [page] }) => serve(page);
else serve(self);
