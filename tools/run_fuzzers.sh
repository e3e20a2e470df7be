#!/usr/bin/env bash
# Runs every fuzz target for a while, each in one process, and stops at the first finding.
#
#   tools/run_fuzzers.sh BUILD SECONDS
#
# What a target finds on its way stays in BUILD/corpus/; an input that ends it is left in BUILD/findings/. The seeds in
# fuzz/corpus/, and the broken definitions of the tests, are only read.
set -euo pipefail
if (( $# != 2 )); then echo "usage: ${0##*/} BUILD SECONDS" >&2; exit 2; fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1 seconds=$2

mkdir -p "$build/findings"
export LSAN_OPTIONS=suppressions=$PWD/fuzz/leaks.supp:print_suppressions=0
for target in jinja-template jinja-expression definition; do
  mkdir -p "$build/corpus/$target"
  seeds=fuzz/corpus/$target
  if [[ $target == definition ]]; then seeds=tests/builder/broken; fi
  log=$build/$target.log
  echo "$target: $seconds seconds, log in $log"
  if ! "$build/fuzz-$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1500 \
      -malloc_limit_mb=64 -dict=fuzz/jinja.dict -artifact_prefix="$build/findings/" -print_final_stats=1 \
      "$build/corpus/$target" "$seeds" >"$log" 2>&1; then
    grep -E 'does not hold|ERROR|SUMMARY|runtime error|Test unit' "$log" >&2
    exit 1
  fi
  grep number_of_executed_units "$log"
done
