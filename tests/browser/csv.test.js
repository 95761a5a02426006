// Tests the texts of exported files.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cell, csv, fields } from "../../infra/console/assets/csv.js";

test("formula in a cell becomes text", () => {
  for (const formula of ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1", "\r=1", " =1", "\u00a0=1", "\uff1d1", "-", "+", "--1", "-2+3"]) {
    assert.equal(cell(formula), `"'${formula}"`, JSON.stringify(formula));
  }
});

test("number and plain text stay as they are", () => {
  for (const plain of ["12", "-1.25", "+0.5", "0", "alice", "a=b", "user_1@x.io", "2026-11-29T00:00:00.000Z", "0x1A31"]) {
    assert.equal(cell(plain), `"${plain}"`);
  }
  assert.equal(cell(true), '"true"');
  assert.equal(cell(7), '"7"');
  for (const nothing of [undefined, null]) assert.equal(cell(nothing), '""');
});

test("quotes, separators and lines stay in their cell", () => {
  assert.equal(cell('a "b", c\nd'), '"a ""b"", c\nd"');
  assert.equal(csv(fields("id", "note"), [{ id: "1", note: "x,y" }, { id: "=2" }]), '"id","note"\r\n"1","x,y"\r\n"\'=2",""\r\n');
});
