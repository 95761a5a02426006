#!/usr/bin/env bash
# Counts the instructions of the hot paths, which are the same on a busy machine: each bench once, under
# valgrind. Writes a table. Wants valgrind and `cargo bench --no-run` (it builds what is not there).
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
# Built in minutes; what is deployed (fat LTO) is a little leaner.
export CARGO_PROFILE_BENCH_LTO=thin CARGO_PROFILE_BENCH_CODEGEN_UNITS=16

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
count() { # program, name of the bench, or nothing for none
  # --test: each bench that is named runs once.
  valgrind --tool=callgrind --callgrind-out-file="$work/out" "$1" --bench --test --exact "$2" >"$work/said" 2>&1
  sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/said"
}

echo '| what | million instructions |'
echo '| --- | ---: |'
for program in $benches; do
  none=$(count "$program" 'no such bench')
  "$program" --bench --list 2>/dev/null | sed -n 's/: benchmark$//p' | while IFS= read -r name; do
    all=$(count "$program" "$name")
    awk -v name="$name" -v all="$all" -v none="$none" 'BEGIN { printf "| %s | %.2f |\n", name, (all - none) / 1e6 }'
  done
done
