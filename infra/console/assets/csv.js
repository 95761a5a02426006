// Exports rows as a CSV file, from the data that the page has read.

import { say } from "./dom.js";

/** A number cannot be a formula, also with a sign. */
const NUMBER = /^[+-]?\d+(\.\d+)?$/;
/** A spreadsheet runs a cell that begins with one of these, some after spaces. */
const FORMULA = /^[\s\u00a0\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

/** Returns a cell of the file. An apostrophe makes a spreadsheet show a formula as text. */
export function cell(value) {
  const text = value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  const guarded = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return `"${guarded.replaceAll('"', '""')}"`;
}

/** Returns the text of a file: RFC 4180, a header and one line for each row. `columns` maps names to functions of a row. */
export function csv(columns, rows) {
  const lines = [Object.keys(columns), ...rows.map((row) => Object.values(columns).map((value) => value(row)))];
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

/** Saves rows as a file. Nothing is sent. */
export function save(name, columns, rows) {
  const url = URL.createObjectURL(new Blob([csv(columns, rows)], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  say(`Saved ${rows.length} rows as ${name}`);
}

/** Returns a time as a text that spreadsheets and programs read. */
export const iso = (at) => (Number.isFinite(at) ? new Date(at).toISOString() : "");

/** Columns that are properties of the rows. */
export const fields = (...names) => Object.fromEntries(names.map((name) => [name, (row) => row[name]]));
