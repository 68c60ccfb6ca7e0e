// The figures and the log of a scene, as text that changes only where it differs.
import { make } from "./inputs.mjs";

export class Words {
  constructor() {
    this.figures = make("dl", "explorable-figures");
    this.log = make("ol", "explorable-log");
  }

  show(scene) {
    const entries = Object.entries(scene.figures);
    entries.forEach(([name, value], place) => {
      const item = this.figures.children[place] ?? this.figures.appendChild(make("div"));
      if (!item.firstChild) item.append(make("dt"), make("dd"));
      const shown = typeof value === "number" ? value.toLocaleString("en") : value;
      if (item.firstChild.textContent !== name) item.firstChild.textContent = name;
      if (item.lastChild.textContent !== shown) item.lastChild.textContent = shown;
    });
    while (this.figures.children.length > entries.length) this.figures.lastChild.remove();
    scene.log.forEach((words, place) => {
      const item = this.log.children[place] ?? this.log.appendChild(make("li"));
      if (item.textContent !== words) item.textContent = words;
    });
    while (this.log.children.length > scene.log.length) this.log.lastChild.remove();
    this.said = scene.said;
  }

  // All of it in one line, for those who cannot see it.
  summary() {
    const figures = [...this.figures.children].map((item) =>
      [...item.children].map((part) => part.textContent).join(" "),
    );
    return [this.said, ...figures].filter(Boolean).join("; ");
  }
}
