// Checks templates with AWS's own rule engine, offline: node validate.mjs FOLDER_WITH_NODE_MODULES FOLDER_OF_TEMPLATES.
// A finding that is not in `allowed` is printed and makes the exit status 1.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [modules, here] = process.argv.slice(2).map(p => resolve(p));
const require = createRequire(join(modules, 'node_modules', 'x.js'));
const { CelEngine, TemplateFile } = require('@aws/cloudformation-validate');

// W2508: a security group that lets everything in. The data interfaces' is meant to: judging is the gateway's work.
const allowed = new Set(['W2508']);

let bad = 0;
for (const name of readdirSync(here).filter(f => f.endsWith('.yaml'))) {
  const engine = new CelEngine();
  const report = engine.validateStandard(new TemplateFile(join(here, name)), { severityLevel: 'WARN' });
  for (const d of report.diagnostics) {
    const known = allowed.has(d.ruleId);
    console.log(`${name}: ${d.severity} ${d.ruleId}: ${d.message}${known ? ' (allowed)' : ''}`);
    if (!known) bad++;
  }
  console.log(`${name}: ${report.diagnostics.length} findings`);
  engine.free();
}
process.exitCode = bad ? 1 : 0;
