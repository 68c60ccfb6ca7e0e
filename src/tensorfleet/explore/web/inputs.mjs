// Inputs for the settings that a panel declares. All words are set as text, never as markup.

export const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

// An input for a declared setting: { node, set(value) }; `act` gets what the reader sets.
export function inputFor(control, id, act) {
  const label = make("label", `explorable-control explorable-${control.kind}`);
  const input = make(control.kind === "choice" ? "select" : "input");
  input.dataset.control = control.name;
  input.id = `${id}-${control.name}`;
  label.htmlFor = input.id;
  const name = make("span", "explorable-name", control.label);
  const shown = make("span", "explorable-value");
  shown.ariaHidden = "true"; // the input says it itself
  let set = (value) => (input.value = value);
  let read = () => input.value;
  if (control.kind === "slider") {
    const unit = control.unit && (control.unit === "%" ? "%" : ` ${control.unit}`);
    Object.assign(input, { type: "range", min: control.lowest, max: control.highest, step: control.step });
    set = (value) => {
      if (shown.textContent === value + unit) return;
      input.value = value;
      shown.textContent = value + unit;
      input.setAttribute("aria-valuetext", value + unit);
    };
    read = () => Number(input.value);
  } else if (control.kind === "toggle") {
    input.type = "checkbox";
    set = (value) => (input.checked = value);
    read = () => input.checked;
  } else if (control.kind === "choice") {
    input.append(...control.options.map((option) => new Option(option, option)));
  } else {
    Object.assign(input, { type: "text", maxLength: control.longest, spellcheck: false });
  }
  input.addEventListener("input", () => {
    const value = read();
    set(value);
    act(value);
  });
  label.append(...(control.kind === "toggle" ? [input, name] : [name, shown, input]));
  return { node: label, set };
}
