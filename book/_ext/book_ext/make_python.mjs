// Makes the Python of the page: one archive of the modules that the panels import, of the
// standard library and of our package, compiled.
//
//     node make_python.mjs <Pyodide's folder> <library.zip> <folder with our package> <drive_panels.py> <panels.json> <python.zip>
//
// What is needed is found by driving every panel under the whole library, and shown to be
// enough by driving them again with the archive alone: both runs must answer the same.
// The library is the standard one with some modules of our own (see stand_ins).
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyodideFolder, library, ours, driver, panels, target] = process.argv.slice(2);

// Node would print Pyodide's one line of code, a megabyte long, before the message.
process.on("uncaughtException", (error) => {
  console.error(String(error));
  process.exit(1);
});

const { loadPyodide } = await import(pathToFileURL(path.join(pyodideFolder, "pyodide.mjs")));

// A failed assertion reaches JavaScript with a traceback, so that what prints one is kept.
const RAISE = "assert False, 'to be seen by the page'";
// Documentation is a third of the archive. It is cut short and not out, since dataclasses
// write their own where there is none, which takes time. Line numbers stay in our own code,
// where a message may need them.
const PACK = `
import sys
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]

import ast, importlib.util, marshal, sitecustomize, zipfile
from _frozen_importlib_external import _code_to_hash_pyc

LIBRARY = "/lib/python314.zip"
HAVE_WORDS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

def compiled(name, source):
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, HAVE_WORDS) and ast.get_docstring(node, clean=False):
            node.body[0].value.value = "."
    code = compile(tree, f"{LIBRARY}/{name}", "exec", dont_inherit=True, optimize=0)
    if not name.startswith("tensorfleet/"):
        code = without_lines(code)
    return bytes(_code_to_hash_pyc(code, importlib.util.source_hash(source), checked=False))

def without_lines(code):
    consts = (without_lines(each) if hasattr(each, "co_code") else each for each in code.co_consts)
    return code.replace(co_linetable=b"", co_consts=tuple(consts))

sources = {}
with zipfile.ZipFile("/tmp/library.zip") as whole:
    for file in files:
        name = file.removeprefix(LIBRARY + "/")
        if name != file:
            sources[name] = whole.read(name)
        elif file.startswith("/package/"):
            with open(file, "rb") as source:
                sources[file.removeprefix("/package/")] = source.read()
with zipfile.ZipFile("/tmp/python.zip", "w", zipfile.ZIP_STORED) as archive:
    for name, source in sorted(sources.items()):
        made = zipfile.ZipInfo(name + "c", (2020, 1, 1, 0, 0, 0))
        archive.writestr(made, compiled(name, source))
    written = {text: without_lines(code) for text, code in sitecustomize.compiled.items()}
    archive.writestr(sitecustomize.FILE, marshal.dumps(written))
len(sources)
`;

function copy(python, from, to) {
  python.FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name);
    if (entry.isDirectory()) copy(python, source, `${to}/${entry.name}`);
    else python.FS.writeFile(`${to}/${entry.name}`, fs.readFileSync(source));
  }
}

function drive(python) {
  try {
    python.runPython(RAISE);
  } catch (error) {
    if (!String(error).includes("to be seen by the page")) throw error;
  }
  python.globals.set("panels", fs.readFileSync(panels, "utf8"));
  return python.runPython(`${fs.readFileSync(driver, "utf8")}\ndrive(json.loads(panels))`);
}

const whole = await loadPyodide({ stdLibURL: library });
copy(whole, ours, "/package");
whole.runPython("import sys; sys.path.insert(0, '/package')");
const expected = drive(whole);
whole.FS.writeFile("/tmp/library.zip", fs.readFileSync(library));
const count = whole.runPython(PACK);
fs.writeFileSync(target, whole.FS.readFile("/tmp/python.zip"));

const trimmed = await loadPyodide({ stdLibURL: target });
const COUNT = "import sitecustomize\nlen(sitecustomize.compiled)";
const before = trimmed.runPython(COUNT);
const got = drive(trimmed);
const late = trimmed.runPython(COUNT) - before;
if (late) throw new Error(`${late} texts are compiled in the page that could have been before`);
if (got !== expected) throw new Error(`the trimmed Python answers ${got}, the whole one ${expected}`);
console.log(`${count} modules, ${fs.statSync(target).size} bytes`);
