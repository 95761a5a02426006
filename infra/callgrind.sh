#!/usr/bin/env bash
# Counts the instructions of the hot paths, which are the same on a busy machine: what each bench measures, once,
# under valgrind. Writes a table. Wants valgrind, and builds the benches.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
# Built in minutes; what is deployed (fat LTO) is a little leaner.
export CARGO_PROFILE_BENCH_LTO=thin CARGO_PROFILE_BENCH_CODEGEN_UNITS=16
# What is counted is found by its name.
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
    # --test: the bench that is named runs once.
    valgrind --tool=callgrind --toggle-collect='*measured*' --callgrind-out-file="$work/out" \
      "$program" --bench --test --exact "$name" </dev/null >"$work/said" 2>&1
    # criterion looks for a program to draw with, in a child that is counted, too, and ends first.
    count=$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/said" | tail -1)
    [[ ${count:-0} -gt 0 ]] || { cat "$work/said" >&2; exit 1; }
    awk -v name="$name" -v count="$count" 'BEGIN { printf "| %s | %.1f |\n", name, count / 1e3 }'
  done
done
