// Runs pytest under Pyodide on some files of the repository: see pyodide_tests.py.
//
//     node pyodide_tests.mjs <Pyodide's folder> <the repository> <folder with packages> <test files>
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyodideFolder, root, site, ...files] = process.argv.slice(2);

// Node would print Pyodide's one line of code, a megabyte long, before the message.
process.on("uncaughtException", (error) => {
  console.error(String(error));
  process.exit(1);
});

const { loadPyodide } = await import(pathToFileURL(path.join(pyodideFolder, "pyodide.mjs")));
const python = await loadPyodide({ env: { PYTEST_DISABLE_PLUGIN_AUTOLOAD: "1" } });
for (const [from, to] of [[root, "/book"], [site, "/site"]]) {
  python.FS.mkdirTree(to);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: from }, to);
}
python.globals.set("files", python.toPy(files));
process.exit(
  python.runPython(`
import os, sys
sys.dont_write_bytecode = True
sys.path += ["/book", "/book/src", "/site"]
os.chdir("/book")
import pytest
int(pytest.main([
    "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "tests.profile",
    "--noconftest", "-m", "not host", *files,
]))
`),
);
