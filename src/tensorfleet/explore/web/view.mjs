// Shows a panel's scenes, and hands on what the reader does. Python decides what is shown;
// nothing here knows what it means. The same file serves a static page (host.mjs) and
// Jupyter (the default export, for anywidget, which gets these modules joined).
//
//     const view = mount(element, description, { link })
//     view.connect(send); view.receive(answer)      messages: tensorfleet/explore/session.py
import { inputFor, make } from "./inputs.mjs";
import { Picture, focusMark } from "./picture.mjs";

const PERIOD = 50; // milliseconds between two frames that are asked for while time passes
const ACTION = 350; // milliseconds in which marks go to their places after an action
const STEP = 0.1; // seconds that pass with one press of Step

export function mount(element, description, { link } = {}) {
  element.classList.add("explorable");
  const stage = element.querySelector(".explorable-pictures") ?? make("div", "explorable-pictures");
  const settings = make("fieldset", "explorable-controls");
  const bar = make("fieldset", "explorable-bar");
  const hint = make("p", "explorable-hint");
  const figures = make("dl", "explorable-figures");
  const log = make("ol", "explorable-log");
  const message = make("p", "explorable-message");
  const spoken = make("p", "explorable-spoken");
  hint.ariaHidden = "true"; // marks say it themselves
  message.role = "status";
  spoken.role = "status";
  settings.ariaLabel = `Controls: ${description.title}`;
  bar.ariaLabel = "Time and state";
  settings.disabled = bar.disabled = true;
  element.append(settings, stage, hint, bar, message, figures, log, spoken);

  const reduced = matchMedia("(prefers-reduced-motion: reduce)");
  const pictures = new Map();
  const inputs = new Map();
  const latest = new Map(); // setting → { value, number }: what was sent, or is to be sent
  let state = description.state;
  let send = () => {};
  let sent = 0;
  let tick = 0; // the number of the tick that is not answered yet
  let running = description.moves && !reduced.matches;
  let isVisible = true;
  let isAwake = false;
  let lastTick = performance.now();
  let lastFrame = 0;
  let began = 0; // of the way that marks are on, and how long it takes
  let lasts = 0;

  const ask = (request) => {
    sent += 1;
    send({ ...request, n: sent });
    return sent;
  };
  const isLive = () => element.dataset.status === "live";

  function act(name, value) {
    const known = latest.get(name);
    // While Python has not answered the last value, only the newest one waits.
    if (known?.number) known.next = value;
    else latest.set(name, { number: ask({ do: "act", name, value }) });
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
      Object.assign(button, { type: "button", onclick: () => ask({ do: "act", name: control.name }) });
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

  function command(name, text, onclick) {
    const button = make("button", "explorable-button", text);
    Object.assign(button, { type: "button", onclick });
    button.dataset.do = name;
    bar.append(button);
    return button;
  }
  const pause = description.moves && command("pause", "", () => run(!running));
  if (description.moves) {
    command("step", "Step", () => {
      run(false);
      ask({ do: "advance", seconds: STEP });
    });
  }
  command("reset", "Reset", () => {
    note("");
    ask({ do: "reset" });
  });
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
    if (isAwake || !isVisible || !isLive()) return;
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
    if (running && !tick && now - lastTick >= PERIOD) {
      tick = ask({ do: "advance", seconds: Math.min((now - lastTick) / 1000, 0.25) });
      lastTick = now;
    }
    if (running || isMoving) wake();
  }

  function show(scene, isTick) {
    const now = performance.now();
    lasts = reduced.matches ? 0 : isTick ? Math.min(Math.max(now - lastFrame, PERIOD), 250) : ACTION;
    if (isTick) lastFrame = now;
    began = now;
    const keys = new Set(scene.pictures.map((picture) => picture.key));
    if (!pictures.size) stage.replaceChildren();
    for (const [key, picture] of pictures) {
      if (keys.has(key)) continue;
      picture.node.remove();
      pictures.delete(key);
    }
    scene.pictures.forEach((told, place) => {
      let picture = pictures.get(told.key);
      if (!picture) pictures.set(told.key, (picture = new Picture()));
      if (stage.children[place] !== picture.node) stage.insertBefore(picture.node, stage.children[place] ?? null);
      picture.show(told);
    });
    showWords(scene);
    if (!isTick) speak();
  }

  function showWords(scene) {
    element.dataset.figures = JSON.stringify(scene.figures);
    const entries = Object.entries(scene.figures);
    entries.forEach(([name, value], place) => {
      const item = figures.children[place] ?? figures.appendChild(make("div"));
      if (!item.firstChild) item.append(make("dt"), make("dd"));
      const shown = typeof value === "number" ? value.toLocaleString("en") : value;
      if (item.firstChild.textContent !== name) item.firstChild.textContent = name;
      if (item.lastChild.textContent !== shown) item.lastChild.textContent = shown;
    });
    while (figures.children.length > entries.length) figures.lastChild.remove();
    scene.log.forEach((words, place) => {
      const item = log.children[place] ?? log.appendChild(make("li"));
      if (item.textContent !== words) item.textContent = words;
    });
    while (log.children.length > scene.log.length) log.lastChild.remove();
  }

  // For screen readers: the figures, after what the reader did.
  let speaking;
  function speak() {
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      const words = [...figures.children].map((item) => [...item.children].map((part) => part.textContent).join(" "));
      spoken.textContent = [log.firstChild?.textContent, ...words].filter(Boolean).join("; ");
    }, 500);
  }

  function note(words) {
    message.textContent = words;
  }

  function status(name, words = "") {
    element.dataset.status = name;
    settings.disabled = bar.disabled = name !== "live";
    settings.hidden = bar.hidden = name === "failed" || (name !== "live" && !description.controls.length);
    note(words);
  }

  function receive(answer) {
    const isTick = answer.n !== undefined && answer.n === tick;
    if (isTick) tick = 0;
    if (answer.n !== undefined) answered(answer.n);
    if (answer.error) {
      run(false);
      note(answer.error);
      if (!isLive()) status("failed", answer.error);
      return;
    }
    if (!answer.scene) return;
    const isFirst = !isLive();
    if (isFirst) status("live", message.textContent.endsWith("…") ? "" : message.textContent);
    state = answer.state;
    for (const [name, input] of inputs) if (!latest.has(name)) input.set(state[name]);
    if (link) address.href = link(state);
    show(answer.scene, isTick);
    if (isFirst) run(running);
    wake();
  }

  // --- pointing, picking, and being away ----------------------------------------------
  const pictureOf = (target) => [...pictures.values()].find((picture) => picture.node.contains(target));
  const say = (event) => (hint.textContent = pictureOf(event.target)?.markOf(event.target)?.hint ?? "");
  stage.addEventListener("pointerover", say);
  stage.addEventListener("focusin", say);
  stage.addEventListener("click", (event) => {
    say(event);
    const node = pictureOf(event.target)?.pickAt(event);
    if (node && isLive()) ask({ do: "pick", value: node.dataset.pick });
  });
  element.addEventListener("keydown", (event) => {
    event.stopPropagation(); // a notebook has its own use for these keys
    const node = event.target.closest("[data-pick]");
    if (!node) return;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      const all = [...node.ownerSVGElement.querySelectorAll("[data-pick]")];
      focusMark(all[(all.indexOf(node) + step + all.length) % all.length]);
    } else if (event.key === "Enter" || event.key === " ") {
      ask({ do: "pick", value: node.dataset.pick });
    } else {
      return;
    }
    event.preventDefault();
  });
  element.dataset.lmSuppressShortcuts = "true";

  const watcher = new IntersectionObserver((entries) => seen(entries.at(-1).isIntersecting && !document.hidden));
  watcher.observe(element);
  const onTab = () => seen(!document.hidden);
  document.addEventListener("visibilitychange", onTab);
  function seen(on) {
    isVisible = on;
    lastTick = performance.now();
    wake();
  }
  reduced.addEventListener("change", () => reduced.matches && run(false));

  run(running);
  return {
    connect: (how) => (send = how),
    receive,
    status,
    note,
    destroy() {
      watcher.disconnect();
      document.removeEventListener("visibilitychange", onTab);
      isVisible = false;
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
