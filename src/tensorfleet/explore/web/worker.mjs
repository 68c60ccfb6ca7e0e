// Runs the page's panels in Python, off the main thread.
//
// It takes messages for `tensorfleet.explore.session` as JSON, and posts their answers as
// JSON. Its own word, an object, is first: { ready: version } or { failed: reason }.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const waiting = [];
self.onmessage = ({ data }) => waiting.push(data);
try {
  const folder = new URL("./pyodide/", import.meta.url).href;
  const python = await loadPyodide({ indexURL: folder, stdLibURL: `${folder}python.zip` });
  const handle = python.runPython(
    "from tensorfleet.explore.session import Sessions\nSessions().handle",
  );
  const answer = (message) => self.postMessage(handle(message));
  self.postMessage({ ready: python.version });
  self.onmessage = ({ data }) => answer(data);
  waiting.splice(0).forEach(answer);
} catch (error) {
  self.postMessage({ failed: String(error.message ?? error) });
}
