#!/usr/bin/env bash
# Counts the instructions of the hot paths: runs the measured part of each bench once under valgrind. The counts do not
# depend on the machine's load. Prints a table. Requires valgrind, and builds the benches.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
# Thin LTO builds in minutes. Deployed functions (fat LTO) need slightly fewer instructions.
export CARGO_PROFILE_BENCH_LTO=thin CARGO_PROFILE_BENCH_CODEGEN_UNITS=16
# valgrind finds the measured function by its symbol.
export CARGO_PROFILE_BENCH_STRIP=none

# The programs that `cargo bench` would run.
benches=$(cargo bench --locked --no-run -p shared --bench hot -p cosigner --bench phases --message-format json |
  python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and "bench" in message["target"]["kind"]:
        print(message["executable"])')

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo '| what | thousand instructions |'
echo '| --- | ---: |'
for program in $benches; do
  "$program" --bench --list 2>/dev/null | sed -n 's/: benchmark$//p' | while IFS= read -r name; do
    # --test runs the named bench once.
    valgrind --tool=callgrind --toggle-collect='*measured*' --callgrind-out-file="$work/out" \
      "$program" --bench --test --exact "$name" </dev/null >"$work/said" 2>&1
    # criterion starts a child to look for a plotting program. valgrind counts the child too, and reports it first.
    count=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/said" | tail -1)
    [[ ${count:-0} -gt 0 ]] || { cat "$work/said" >&2; exit 1; }
    awk -v name="$name" -v count="$count" 'BEGIN { printf "| %s | %.1f |\n", name, count / 1e3 }'
  done
done
