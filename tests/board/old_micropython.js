// Runs a Python file in npm's micropython@1.1.8 (MicroPython 1.10, of 2019):
// node old_micropython.js PACKAGE FILE. What it prints stands between two marks: the package's
// loader prints of its own.
const fs = require('fs');
const path = require('path');
const [folder, file] = process.argv.slice(2);
global.mpjsPrintStdout = (text) => process.stdout.write(text);
require(path.resolve(folder, 'lib/micropython.js'));
const waiting = setInterval(() => {
  if (!global.mp_js_init) return;
  clearInterval(waiting);
  global.mp_js_init(8 << 20);
  process.stdout.write('\n@@begin\n');
  global.mp_js_do_str(fs.readFileSync(file, 'utf8'));
  process.stdout.write('\n@@end\n');
  process.exit(0);
}, 1);
