#!/usr/bin/env bash
# Checks format and clang-tidy.
#
#   tools/lint.sh BUILD --all     every C++ file
#   tools/lint.sh BUILD COMMIT    what changed since the commit, and what Git does not know yet
#
# BUILD is a configured build folder of clang (its compile_commands.json is read; nothing is built).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if (( $# != 2 )); then echo "usage: ${0##*/} BUILD --all|COMMIT" >&2; exit 2; fi
build=$1 since=$2
folders=(src sim bench fuzz tests tools examples)
cpp=('*.h' '*.cpp')
status=0

if [[ $since == --all ]]; then
  mapfile -t files < <(git ls-files -co --exclude-standard -- "${cpp[@]}")
  clang-format-19 --dry-run -Werror "${files[@]}" || status=1
else
  mapfile -t files < <({ git diff --name-only --diff-filter=d "$since" -- "${cpp[@]}"
                         git ls-files -o --exclude-standard -- "${cpp[@]}"; } | sort -u)
  if (( ${#files[@]} == 0 )); then echo "lint: no C++ changed since $since"; exit 0; fi
  # Only changed lines: nobody is asked to reformat what others wrote.
  if ! git clang-format-19 --binary clang-format-19 --diff --quiet --extensions h,cpp "$since" -- "${folders[@]}"; then
    echo "lint: 'make fmt' formats these lines" >&2
    status=1
  fi
fi

# Headers are checked through the sources that include them.
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.cpp$' |
  python3 -c 'import json, os, sys
known = {os.path.relpath(entry["file"]) for entry in json.load(open(sys.argv[1]))}
print("\n".join(line for line in map(str.strip, sys.stdin) if line in known))' "$build/compile_commands.json")
if (( ${#sources[@]} )) && [[ -n ${sources[0]} ]]; then
  printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 -p "$build" --quiet || status=1
fi
(( status )) || echo "lint: ${#files[@]} files are fine"
exit $status
