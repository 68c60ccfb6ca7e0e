// Shows a panel's scenes, and hands on what the reader does. Python decides what is shown;
// nothing here knows what it means. The same file serves a static page (host.mjs) and
// Jupyter (the default export, for anywidget, which gets these modules joined).
//
//     const view = mount(element, description, { link })
//     view.connect(send); view.receive(answer)      messages: tensorfleet/explore/session.py
import { inputFor, make } from "./inputs.mjs";
import { Picture, focusMark } from "./picture.mjs";
import { Words } from "./words.mjs";

const PERIOD = 50; // milliseconds between two frames that are asked for while time passes
const ACTION = 350; // milliseconds in which marks go to their places after an action
const STEP = 0.1; // seconds that pass with one press of Step
const LOST = 5000; // milliseconds after which no answer is expected any more

export function mount(element, description, { link } = {}) {
  element.classList.add("explorable");
  const stage = element.querySelector(".explorable-pictures") ?? make("div", "explorable-pictures");
  const settings = make("fieldset", "explorable-controls");
  const bar = make("fieldset", "explorable-bar");
  const hint = make("p", "explorable-hint");
  const words = new Words();
  const message = make("p", "explorable-message");
  const spoken = make("p", "explorable-spoken");
  hint.ariaHidden = "true"; // marks say it themselves
  message.role = "status";
  spoken.role = "status";
  settings.ariaLabel = `Controls: ${description.title}`;
  bar.ariaLabel = "Time and state";
  settings.disabled = bar.disabled = true;
  element.append(settings, stage, hint, bar, message, words.figures, words.log, spoken);

  const reduced = matchMedia("(prefers-reduced-motion: reduce)");
  const pictures = new Map();
  const inputs = new Map();
  const latest = new Map(); // setting → { value, number }: what was sent, or is to be sent
  let state = description.state;
  let send = () => {};
  const me = Math.random().toString(36).slice(2); // in Jupyter, others may show the same
  let sent = 0;
  let tick = ""; // the number of the tick that is not answered yet
  let running = description.moves && !reduced.matches;
  let isBusy = false; // has work to do, whether time passes or not
  let isNear = true;
  let isAwake = false;
  let lastTick = performance.now();
  let lastFrame = 0;
  let began = 0; // of the way that marks are on, and how long it takes
  let lasts = 0;

  function ask(request) {
    const n = `${me}:${++sent}`;
    try {
      send({ ...request, n });
    } catch (error) {
      run(false);
      note(`Python cannot be reached: ${error.message}`);
    }
    return n;
  }
  // What the reader does after a setting comes after it, also where that still waits.
  function command(request) {
    for (const [name, known] of latest) if ("next" in known) set(name, known.next);
    return ask(request);
  }
  const set = (name, value) =>
    latest.set(name, { number: ask({ do: "act", name, value }), at: performance.now() });
  const isLive = () => element.dataset.status === "live";

  function act(name, value) {
    const known = latest.get(name);
    // While Python has not answered the last value, only the newest one waits.
    if (known && performance.now() - known.at < LOST) known.next = value;
    else set(name, value);
  }

  function answered(number) {
    for (const [name, known] of latest) {
      if (known.number !== number) continue;
      latest.delete(name);
      if ("next" in known) act(name, known.next);
    }
  }

  for (const control of description.controls) {
    if (control.kind === "button") {
      const button = make("button", "explorable-button", control.label);
      Object.assign(button, { type: "button", onclick: () => command({ do: "act", name: control.name }) });
      button.dataset.action = control.name;
      settings.append(button);
    } else {
      const input = inputFor(control, element.id || "explorable", (value) => act(control.name, value));
      input.set(state[control.name]);
      inputs.set(control.name, input);
      settings.append(input.node);
    }
  }
  settings.hidden = !description.controls.length;

  function addButton(name, text, onclick) {
    const button = make("button", "explorable-button", text);
    Object.assign(button, { type: "button", onclick });
    button.dataset.do = name;
    bar.append(button);
    return button;
  }
  const pause = description.moves && addButton("pause", "", () => run(!running));
  if (description.moves) {
    addButton("step", "Step", () => {
      run(false);
      command({ do: "advance", seconds: STEP });
    });
  }
  addButton("reset", "Reset", () => command({ do: "reset" }));
  const address = make("a", "explorable-link", "Link to these settings");
  address.dataset.do = "link";
  address.onclick = (event) => {
    event.preventDefault();
    history.replaceState(null, "", address.href);
    note("The address of this page now holds these settings.");
  };
  if (link) bar.append(address);

  function run(on) {
    running = on;
    if (pause) pause.textContent = on ? "Pause" : "Run";
    lastTick = performance.now();
    if (!on) speak();
    wake();
  }

  function wake() {
    if (isAwake || !isNear || document.hidden || !isLive()) return;
    isAwake = true;
    requestAnimationFrame(loop);
  }

  function loop(now) {
    isAwake = false;
    if (!element.isConnected) return;
    // A frame's time is that of its beginning, which may be before the scene arrived.
    const way = lasts ? Math.min(Math.max((now - began) / lasts, 0), 1) : 1;
    // Where time passes marks keep their pace; after an action they slow down to arrive.
    const done = lasts === ACTION ? 1 - (1 - way) ** 3 : way;
    let isMoving = false;
    for (const picture of pictures.values()) isMoving = picture.paint(done) || isMoving;
    if (now - lastTick > LOST) tick = "";
    if (!tick && (running ? now - lastTick >= PERIOD : isBusy)) {
      const seconds = Math.min((now - lastTick) / 1000, 0.25);
      tick = ask(running ? { do: "advance", seconds } : { do: "work" });
      lastTick = now;
    }
    if (running || isBusy || isMoving) wake();
  }

  function show(scene, isTick) {
    const now = performance.now();
    lasts = reduced.matches ? 0 : isTick ? Math.min(Math.max(now - lastFrame, PERIOD), 250) : ACTION;
    if (isTick) lastFrame = now;
    began = now;
    const hadFocus = stage.contains(document.activeElement);
    const keys = new Set(scene.pictures.map((picture) => picture.key));
    if (!pictures.size) stage.replaceChildren();
    for (const [key, picture] of pictures) {
      if (keys.has(key)) continue;
      picture.node.remove();
      pictures.delete(key);
    }
    scene.pictures.forEach((told, place) => {
      let picture = pictures.get(told.key);
      const isNew = !picture;
      if (isNew) pictures.set(told.key, (picture = new Picture()));
      if (stage.children[place] !== picture.node) stage.insertBefore(picture.node, stage.children[place] ?? null);
      picture.show(told);
      if (isNew) picture.paint(1);
    });
    // What had the focus may be gone: it stays in the picture, or near.
    if (hadFocus && !stage.contains(document.activeElement)) {
      (stage.querySelector("[tabindex='0']") ?? bar.querySelector("button")).focus({ preventScroll: true });
    }
    element.dataset.figures = JSON.stringify(scene.figures);
    words.show(scene);
    sayHint();
    const isDone = isBusy && !scene.busy;
    isBusy = scene.busy;
    if (!isTick || (isDone && !running)) speak();
  }

  // For screen readers: the figures, after what the reader did.
  let speaking;
  function speak() {
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      spoken.textContent = words.summary();
    }, 500);
  }

  function note(text) {
    message.textContent = text;
  }

  function status(name, text = "") {
    element.dataset.status = name;
    settings.disabled = bar.disabled = name !== "live";
    settings.hidden = bar.hidden = name === "failed" || (name !== "live" && !description.controls.length);
    note(text);
  }

  function receive(answer) {
    const isTick = Boolean(answer.n) && answer.n === tick;
    if (isTick) tick = "";
    answered(answer.n);
    if (answer.error) {
      if (answer.n && !answer.n.startsWith(me)) return; // another view's
      isBusy = false;
      run(false);
      note(answer.error);
      showState();
      if (!isLive()) status("failed", answer.error);
      return;
    }
    if (!answer.scene) return;
    const isFirst = !isLive();
    if (isFirst) {
      // Whatever was asked before, of another Python, is not answered any more.
      tick = "";
      latest.clear();
      const isOver = element.dataset.status === "failed" || message.textContent.endsWith("…");
      status("live", isOver ? "" : message.textContent);
    } else if (!isTick) note(""); // of what was before
    state = answer.state;
    showState();
    if (link) address.href = link(state);
    show(answer.scene, isTick);
    if (isFirst) run(running);
    wake();
  }

  function showState() {
    for (const [name, input] of inputs) if (!latest.has(name)) input.set(state[name]);
  }

  // --- pointing, picking, and being away ----------------------------------------------
  const pictureOf = (target) => [...pictures.values()].find((picture) => picture.node.contains(target));
  let pointed = null; // what the hint is of, as long as it is there
  function sayHint() {
    const text = (pointed?.isConnected && pictureOf(pointed)?.markOf(pointed)?.hint) || "";
    if (hint.textContent !== text) hint.textContent = text;
  }
  function say(event) {
    pointed = event.target;
    sayHint();
  }
  stage.addEventListener("pointerover", say);
  stage.addEventListener("focusin", say);
  stage.addEventListener("click", (event) => {
    say(event);
    const node = pictureOf(event.target)?.pickAt(event);
    if (node && isLive()) command({ do: "pick", value: node.dataset.pick });
  });
  element.addEventListener("keydown", (event) => {
    if (!link) event.stopPropagation(); // a notebook has its own use for these keys
    const node = event.target.closest("[data-pick]");
    if (!node) return;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      const all = [...node.ownerSVGElement.querySelectorAll("[data-pick]")];
      focusMark(all[(all.indexOf(node) + step + all.length) % all.length]);
    } else if (event.key === "Enter" || event.key === " ") {
      command({ do: "pick", value: node.dataset.pick });
    } else {
      return;
    }
    event.preventDefault();
  });
  element.dataset.lmSuppressShortcuts = "true";

  const watcher = new IntersectionObserver((entries) => {
    isNear = entries.at(-1).isIntersecting;
    back();
  });
  watcher.observe(element);
  function back() {
    lastTick = performance.now();
    wake();
  }
  const rest = () => reduced.matches && run(false);
  const arrive = () => pictures.forEach((picture) => picture.paint(1));
  document.addEventListener("visibilitychange", back);
  reduced.addEventListener("change", rest);
  addEventListener("beforeprint", arrive);

  run(running);
  return {
    connect: (how) => (send = how),
    receive,
    status,
    note,
    destroy() {
      watcher.disconnect();
      document.removeEventListener("visibilitychange", back);
      reduced.removeEventListener("change", rest);
      removeEventListener("beforeprint", arrive);
      clearTimeout(speaking);
      isNear = false;
    },
  };
}

// Jupyter: the panel lives in the kernel, and answers by messages of the widget's model.
export default {
  render({ model, el }) {
    el.dataset.explorable = model.get("path");
    el.id ||= `explorable-${Math.random().toString(36).slice(2)}`;
    const view = mount(el, model.get("description"));
    view.status("starting");
    view.connect((message) => model.send(message));
    const receive = (answer) => view.receive(answer);
    model.on("msg:custom", receive);
    model.send({ do: "show" });
    return () => {
      model.off("msg:custom", receive);
      view.destroy();
    };
  },
};
