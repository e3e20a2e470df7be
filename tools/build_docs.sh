#!/usr/bin/env bash
# Builds the documentation as a site: OUT/site. A warning of Doxygen or MkDocs and a broken link are errors.
#
#   tools/build_docs.sh OUT
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

python3 -B "$root/tools/public_headers.py" "$root/src" "$out/include"
(cd "$out" && doxygen "$root/docs/Doxyfile")
python3 -B "$root/tools/docs_site.py" "$root" "$out/pages"
cp -r "$out/html" "$out/pages/api"
MAPFLOW_PAGES=$out/pages mkdocs build --strict --quiet --config-file "$root/mkdocs.yml" --site-dir "$out/site"
