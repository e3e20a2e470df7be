#!/usr/bin/env bash
# Formats the C++ lines that changed since a commit (default: HEAD), and nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Exit status 1 only says that something was reformatted.
status=0
git clang-format-19 --binary clang-format-19 --quiet --force --extensions h,cpp "${1:-HEAD}" || status=$?
(( status <= 1 ))
