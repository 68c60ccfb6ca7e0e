// Paints the pictures of a scene as SVG: finds marks again by their keys, and moves them
// from where they are to where they belong.

const SVG = "http://www.w3.org/2000/svg";
const REACH = 22; // pixels: so near to a mark is a click on it, as fingers need

const round = (value) => Math.round(value * 100) / 100;
// An attribute that is set has its mark styled, laid out and painted anew, even if it is the
// same: most are, from one frame to the next.
function set(node, name, value) {
  const text = String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}
const setNumbers = (node, names, values) =>
  names.forEach((name, index) => set(node, name, round(values[index])));

// For each kind: its SVG element, its numbers in a row (between which it can move), and
// how they are written.
const KINDS = {
  rect: {
    tag: "rect",
    numbers: (mark) => [mark.x, mark.y, mark.width, mark.height],
    write: (node, values) => setNumbers(node, ["x", "y", "width", "height"], values),
  },
  circle: {
    tag: "circle",
    numbers: (mark) => [mark.x, mark.y, mark.radius],
    write: (node, values) => setNumbers(node, ["cx", "cy", "r"], values),
  },
  text: {
    tag: "text",
    numbers: (mark) => [mark.x, mark.y, mark.size ?? 12],
    write: (node, values) => setNumbers(node, ["x", "y", "font-size"], values),
  },
  line: {
    tag: "polyline",
    numbers: (mark) => mark.points,
    write: (node, values) => set(node, "points", values.map(round).join(" ")),
  },
  path: {
    tag: "path",
    numbers: (mark) => mark.steps.filter((step) => typeof step === "number"),
    write: (node, values, mark) => {
      let next = 0;
      const steps = mark.steps.map((step) => (typeof step === "number" ? round(values[next++]) : step));
      set(node, "d", steps.join(" "));
    },
  },
};
const letters = (mark) => mark.steps?.filter((step) => typeof step === "string").join("");

export class Picture {
  #items = new Map(); // key → { node, mark, now, from, to }
  #moving = new Set();

  constructor() {
    this.node = document.createElementNS(SVG, "svg");
    this.node.classList.add("explorable-picture");
  }

  // Bring the marks to what `picture` says, from where they are.
  show(picture) {
    set(this.node, "viewBox", `0 0 ${picture.width} ${picture.height}`);
    set(this.node, "aria-label", picture.alt);
    const canPick = picture.marks.some((mark) => mark.pick);
    set(this.node, "role", canPick ? "group" : "img");
    const keys = new Set(picture.marks.map((mark) => mark.key));
    for (const [key, item] of this.#items) {
      if (!keys.has(key)) this.#remove(key, item);
    }
    let cursor = this.node.firstChild;
    for (const mark of picture.marks) {
      let item = this.#items.get(mark.key);
      if (item?.mark.kind !== mark.kind) {
        if (item) {
          if (item.node === cursor) cursor = cursor.nextSibling;
          this.#remove(mark.key, item);
        }
        item = { node: document.createElementNS(SVG, KINDS[mark.kind].tag), mark: {} };
        item.node.dataset.key = mark.key;
        this.#items.set(mark.key, item);
      }
      if (item.node === cursor) cursor = cursor.nextSibling;
      else this.node.insertBefore(item.node, cursor);
      this.#update(item, mark);
    }
    if (canPick && !this.node.querySelector("[tabindex='0']")) {
      this.node.querySelector("[data-pick]").tabIndex = 0;
    }
  }

  #update(item, mark) {
    const { node, mark: before } = item;
    const to = [...KINDS[mark.kind].numbers(mark), mark.opacity ?? 1];
    const jumps = item.now?.length !== to.length || letters(before) !== letters(mark);
    const from = item.now && !jumps ? item.now : item.now ? to : [...to.slice(0, -1), 0];
    Object.assign(item, { mark, from, to });
    if (from.some((value, index) => Math.abs(value - to[index]) > 0.005)) {
      this.#moving.add(item);
      if (!item.now) this.#write(item, from);
    } else {
      this.#moving.delete(item);
      if (!item.now || jumps) this.#write(item, to);
    }
    set(node, "class", `role-${mark.role ?? "ink"}`);
    if (mark.text !== before.text) node.textContent = mark.text;
    if (mark.anchor !== before.anchor) node.setAttribute("text-anchor", mark.anchor ?? "start");
    if (mark.kind === "line") {
      set(node, "stroke-width", mark.stroke ?? 1.5);
      if (mark.dashed) set(node, "stroke-dasharray", "5 4");
      else node.removeAttribute("stroke-dasharray");
    }
    if (mark.pick) {
      if (!before.pick) node.tabIndex = -1;
      set(node, "data-pick", mark.pick);
      set(node, "role", "button");
      set(node, "aria-label", mark.hint || mark.pick);
    } else if (before.pick) {
      delete node.dataset.pick;
      for (const name of ["tabindex", "role", "aria-label"]) node.removeAttribute(name);
    }
  }

  #remove(key, item) {
    if (item.node === document.activeElement) {
      const other = [...this.node.querySelectorAll("[data-pick]")].find((node) => node !== item.node);
      if (other) focusMark(other);
    }
    item.node.remove();
    this.#items.delete(key);
    this.#moving.delete(item);
  }

  #write(item, values) {
    item.now = values;
    KINDS[item.mark.kind].write(item.node, values, item.mark);
    const opacity = values[values.length - 1];
    if (opacity < 1) set(item.node, "opacity", round(opacity));
    else item.node.removeAttribute("opacity");
  }

  // Paint the share `done` of the way; returns whether some mark is still under way.
  paint(done) {
    for (const item of this.#moving) {
      if (done >= 1) this.#write(item, item.to);
      else this.#write(item, item.to.map((value, index) => item.from[index] + (value - item.from[index]) * done));
    }
    if (done >= 1) this.#moving.clear();
    return this.#moving.size > 0;
  }

  markOf(node) {
    return this.#items.get(node?.dataset?.key)?.mark;
  }

  // The mark to be picked by a click here: the one under it, or a circle near it.
  pickAt(event) {
    const direct = event.target.closest?.("[data-pick]");
    if (direct) return direct;
    let best = null;
    let nearest = REACH;
    for (const node of this.node.querySelectorAll("circle[data-pick]")) {
      const box = node.getBoundingClientRect();
      const distance = Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
      if (distance < nearest) [best, nearest] = [node, distance];
    }
    return best;
  }
}

// One mark of a picture is reached by Tab, the others from there by arrows.
export function focusMark(node) {
  for (const other of node.ownerSVGElement.querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
  node.tabIndex = 0;
  node.focus();
}
