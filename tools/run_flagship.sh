#!/usr/bin/env bash
# Reviews this repository with examples/repo_review, shows the report and says where it is.
#
#   tools/run_flagship.sh MAPFLOW FOLDER     FOLDER gets the store and the report
set -euo pipefail
if (( $# != 2 )); then echo "usage: ${0##*/} MAPFLOW FOLDER" >&2; exit 2; fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mapflow=$1 folder=$2
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
report=$folder/repo_review.md

# `make run` is for everybody who can read the tree, also where Git would ask who owns it.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$root

"$mapflow" run "$root/examples/repo_review/workflow.yaml" --store "sqlite:$folder/mapflow.db" \
  -i "repo=$root" -i "report=$report"

echo
cat "$report"
echo
echo "This report:        ${report#"$PWD"/}"
echo "What it ran:        examples/repo_review/workflow.yaml"
echo "What happened:      $mapflow list --store sqlite:${folder#"$PWD"/}/mapflow.db"
