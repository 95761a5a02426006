// Extracts the prose of a source file as Markdown. Line N of the Markdown is the text of line N of the file, so a
// linter's line numbers apply to the file.

const COMMENT = { rs: '//', js: '//', ts: '//', py: '#', sh: '#', toml: '#', yaml: '#', yml: '#' };
const QUOTES = { rs: ['"'], js: ["'", '"', '`'] };

const extension = (path) => {
  const name = path.split('/').pop();
  // The scripts of .ci have no extension.
  return name.includes('.') ? name.split('.').pop() : 'sh';
};

/** Returns the Markdown of a file, or null if the file has no prose. */
export function extract(path, text) {
  const kind = extension(path);
  if (kind === 'md') return text;
  if (kind === 'json') return fields(text);
  if (kind === 'html') return lines(text.split('\n').map((line) => item(line.replace(/<[^>]*>/g, ' '))));
  if (!COMMENT[kind]) return null;
  const found = text.split('\n').map((line) => comment(line, COMMENT[kind]));
  if (kind === 'yaml') described(text).forEach(([line, prose]) => (found[line] ||= item(prose)));
  if (QUOTES[kind] && !isTest(path)) {
    const production = kind === 'rs' ? text.split('#[cfg(test)]')[0] : text;
    for (const [line, literal] of literals(production, QUOTES[kind])) {
      if (isProse(literal)) found[line] ||= item(literal);
    }
  }
  return lines(found);
}

const isTest = (path) => /(^|\/)tests?(\/|\.)|\.test\.js$|\/benches\//.test(path);
const lines = (found) => found.map((line) => line ?? '').join('\n') + '\n';
// A list item, because it does not continue the paragraph above it.
const item = (prose) => (prose.trim() ? `- ${prose.trim().replace(/\s+/g, ' ').replace(/[<*]/g, '\\$&')}` : null);

function comment(line, mark) {
  const trimmed = line.trimStart();
  if (!trimmed.startsWith(mark) || trimmed.startsWith('#!') || trimmed.startsWith('#[')) return null;
  const after = trimmed.slice(mark.length);
  return (mark === '//' ? after.replace(/^[/!]/, '') : after).replace(/^ /, '');
}

/** Returns the texts of a JSON document's descriptions. */
function fields(text) {
  return lines(text.split('\n').map((line) => {
    const field = line.match(/^\s*"(?:summary|description)": ("(?:[^"\\]|\\.)*"),?$/);
    return field ? item(JSON.parse(field[1])) : null;
  }));
}

/** Returns the descriptions of a template, each with its line. */
function described(text) {
  const found = text.split('\n').map((line, number) => [number, line.match(/^\s*(?:Alarm)?Description: (.+)$/)?.[1]]);
  return found.filter(([, prose]) => prose && !/^[{[!>|]/.test(prose));
}

/** Returns true for a text in words, such as a message; false for an expression or a path. */
function isProse(literal) {
  const words = literal.match(/(?<=^|[\s(])[A-Za-z][a-z]+(?=[\s.,:;)!?]|$)/g) ?? [];
  return words.length >= 3 && !/[=#]|::|\/\/\w+\.\w+\/|_\w+\(|^\s*[{[<.]/.test(literal);
}

/** Returns the string literals of a Rust or JavaScript text, each with its line. Placeholders become code. */
function literals(text, quotes) {
  const found = [];
  let line = 0;
  for (let at = 0; at < text.length; at += 1) {
    const here = text[at];
    if (here === '\n') line += 1;
    if (text.startsWith('//', at)) {
      at = end(text.indexOf('\n', at), text) - 1;
      continue;
    }
    // A character such as '"' is not a string in Rust.
    if (here === "'" && quotes.length === 1) {
      const character = text.slice(at, at + 12).match(/^'(\\[^']+|\\'|[^\\'])'/);
      if (character) at += character[0].length - 1;
      continue;
    }
    if (!quotes.includes(here)) continue;
    const raw = text.slice(Math.max(0, at - 4), at).match(/\br(#*)$/);
    const close = raw && quotes.length === 1 ? text.indexOf(`"${raw[1]}`, at + 1) : closing(text, at, here);
    const literal = text.slice(at + 1, end(close, text));
    const joined = literal.replace(/\\\n\s*/g, '').replace(/\\[nt]|\n/g, ' ').replace(/\\(.)/g, '$1');
    found.push([line, joined.replace(/\$?\{[^}]*\}/g, '`x`')]);
    line += literal.split('\n').length - 1;
    at = end(close, text);
  }
  return found;
}

const end = (index, text) => (index < 0 ? text.length : index);

function closing(text, from, quote) {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) return at;
  }
  return -1;
}
