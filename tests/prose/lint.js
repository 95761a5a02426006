// Lints the prose of the repository with the rules in textlint.yaml. `--root DIRECTORY` lints another tree, and
// `--count` only counts. Fails if a rule other than `pattern` finds anything, or if `pattern`, which has the style
// guide's forbidden phrases, finds more than BUDGET.
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createLinter, loadTextlintrc } from 'textlint';

import { extract } from './extract.js';

// Lower it when phrases disappear; never raise it.
const BUDGET = 0;
const PATTERN = '@textlint-rule/pattern';
const SKIPPED = new Set(['target', 'node_modules', 'book', 'out', 'corpus', 'samples']);
const HIDDEN = new Set(['.ci', '.github', '.cargo']);
// Data, and the phrases themselves.
// The texts of refusals are the exchanges' own.
const UNREAD = [/package(-lock)?\.json$/, /^tests\/prose\/.*\.js$/, /^infra\/exchange-sim\/src\/.*refusal\.rs$/];
const JSON_FILES = ['docs/openapi.json', 'infra/cosigner-policy.schema.json'];

const option = (name) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? null : process.argv[at + 1];
};
const here = import.meta.dirname;
const root = resolve(option('--root') ?? join(here, '../..'));
const counts = process.argv.includes('--count');

function* files(folder = '') {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    if (entry.isDirectory()) {
      const hidden = entry.name.startsWith('.') && !HIDDEN.has(entry.name);
      if (!SKIPPED.has(entry.name) && !hidden) yield* files(path);
    } else if (!UNREAD.some((skip) => skip.test(path)) && (!path.endsWith('.json') || JSON_FILES.includes(path))) {
      if (entry.name.includes('.') || folder === '.ci') yield path;
    }
  }
}

const linter = createLinter({ descriptor: await loadTextlintrc({ configFilePath: join(here, 'textlint.yaml') }) });
const hits = [];
let linted = 0;
for (const path of [...files()].sort()) {
  const markdown = extract(path, readFileSync(join(root, path), 'utf8'));
  if (!markdown?.trim()) continue;
  linted += 1;
  const { messages } = await linter.lintText(markdown, `${path}.md`);
  for (const { line, ruleId, message } of messages) hits.push({ path, line, ruleId, message });
}

const byRule = {};
for (const { ruleId } of hits) byRule[ruleId] = (byRule[ruleId] ?? 0) + 1;
const phrases = byRule[PATTERN] ?? 0;
const others = hits.length - phrases;
const fails = others > 0 || phrases > BUDGET;
if (!counts) {
  for (const { path, line, ruleId, message } of hits) {
    if (ruleId !== PATTERN || phrases > BUDGET || process.argv.includes("--all")) console.log(`${path}:${line}: ${message.split('\n')[0]} [${ruleId}]`);
  }
}
console.log(`prose: ${linted} files, ${phrases} forbidden phrases (at most ${BUDGET}), ${others} other findings`);
if (counts) console.log(byRule);
process.exit(fails && !counts ? 1 : 0);
