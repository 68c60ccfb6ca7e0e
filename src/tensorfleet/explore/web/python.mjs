// The page's way to Python, which runs in a worker.
//
// One worker serves the page, and where the browser knows shared workers, all pages: the
// next one finds Python running. (A browser that knows `extendedLifetime` keeps it over the
// moment when one page has gone and the next has not come.) Nothing is lost but what has
// been opened when a worker is: it is opened once more.
import version from "./version.mjs";

const TIME_LIMIT = 20_000; // milliseconds, for Python to start

export class Python {
  #sessions = new Map(); // id → { answered, failed }
  #count = 0;
  #port = null; // the way to the worker
  #isReady = false;
  #isAlone = !globalThis.SharedWorker; // has a worker of its own
  #timer = 0;
  #error = null; // why there is no Python
  #openAnew;

  // `openAnew` opens all sessions once more, when what they were in is lost.
  constructor(openAnew) {
    this.#openAnew = openAnew;
  }

  // Connect to the worker, which may have to start Python first.
  start() {
    if (this.#port) return;
    const late = () => this.#fail(`Python has not started within ${TIME_LIMIT / 1000} s`);
    this.#timer = setTimeout(late, TIME_LIMIT); // it may still come, and is welcome
    const worker = this.#connect();
    worker.onerror = (event) => {
      event.preventDefault();
      // Some browsers know shared workers, and refuse them to who stores nothing.
      if (this.#isAlone || this.#isReady) this.#fail(event.message || "its program could not be loaded");
      else {
        this.#isAlone = true;
        this.again();
      }
    };
    this.#port = worker.port ?? worker;
    this.#port.onclose = () => this.#fail("Python has ended");
    this.#port.onmessage = ({ data }) => {
      if (typeof data === "string") {
        const answer = JSON.parse(data);
        this.#sessions.get(answer.id)?.answered(answer);
      } else if (data.failed) this.#fail(data.failed);
      else if (this.#isReady) this.again(); // a browser has moved the worker, which forgot all
      else {
        this.#isReady = true;
        this.#error = null;
        clearTimeout(this.#timer);
      }
    };
  }

  // What sends messages for a session; `answered` is called with each answer. Messages
  // wait in the worker until Python is there.
  session(answered, failed) {
    this.start();
    const id = String(++this.#count);
    this.#sessions.set(id, { answered, failed });
    if (this.#error) failed(this.#error);
    return (message) => this.#port.postMessage(JSON.stringify({ ...message, id }));
  }

  // The page goes, and what it has opened. A browser may keep it and show it `again`.
  leave() {
    clearTimeout(this.#timer);
    this.#port?.postMessage("");
    (this.#port?.terminate ?? this.#port?.close)?.call(this.#port);
    this.#sessions.clear();
    this.#port = this.#error = null;
    this.#isReady = false;
  }

  again() {
    this.leave();
    this.start();
    this.#openAnew();
  }

  // A worker for all pages, if there may be one. Its address and name hold the version: a
  // book that has been built anew is another program, and no page may get the wrong one.
  #connect() {
    const program = new URL(`./worker.mjs?${version}`, import.meta.url);
    if (!this.#isAlone) {
      try {
        return new SharedWorker(program, { type: "module", name: version, extendedLifetime: true });
      } catch {
        this.#isAlone = true;
      }
    }
    return new Worker(program, { type: "module" });
  }

  #fail(reason) {
    if (this.#error) return;
    clearTimeout(this.#timer);
    this.#error = new Error(reason);
    for (const { failed } of this.#sessions.values()) failed(this.#error);
  }
}
