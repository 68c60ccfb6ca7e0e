// Runs the Python program on stdin under Pyodide, with the package in a folder importable.
//
//     node in_pyodide.mjs <path to pyodide.mjs> <folder of the package>
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyodideModule, folder] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(pyodideModule));
const pyodide = await loadPyodide();

function copy(from, to) {
  pyodide.FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name);
    const target = `${to}/${entry.name}`;
    if (entry.isDirectory()) copy(source, target);
    else if (!entry.name.endsWith(".pyc")) pyodide.FS.writeFile(target, fs.readFileSync(source));
  }
}

copy(folder, `/package/${path.basename(folder)}`);
pyodide.runPython("import sys; sys.path.insert(0, '/package')");
pyodide.runPython(fs.readFileSync(0, "utf8"));
