#!/usr/bin/env bash
# Installs the packages that docs/dependencies.md lists for the given groups, as far as they are missing.
#
#   tools/install_dependencies.sh build test          install (as root, or through sudo)
#   tools/install_dependencies.sh --list build test   only print the names
#
# Exit status: 0 when everything is there; 1 when something is missing and could not be installed; 2 on bad usage.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

list_only=false
if [[ ${1:-} == --list ]]; then list_only=true; shift; fi
if (( $# == 0 )); then echo "usage: ${0##*/} [--list] GROUP..." >&2; exit 2; fi

# Rows look like:  | `package` | group, group | reason |
packages_of() {
  awk -F'|' -v group="$1" '
    $2 ~ /^ *`.*` *$/ { gsub(/[ `]/, "", $2); gsub(/ /, "", $3)
                        if (index("," $3 ",", "," group ",")) print $2 }' docs/dependencies.md
}

wanted=()
for group in "$@"; do
  mapfile -t packages < <(packages_of "$group")
  if (( ${#packages[@]} == 0 )); then echo "docs/dependencies.md has no group '$group'" >&2; exit 2; fi
  wanted+=("${packages[@]}")
done
mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sort -u)
if $list_only; then printf '%s\n' "${wanted[@]}"; exit 0; fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "This is no Debian system, so nothing is installed. The build needs what Debian calls: ${wanted[*]}" >&2
  exit 0
fi

# dpkg-query fails for names it has never heard of; those are simply missing.
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null |
            awk '$2 == "installed" { print $1 }' || true)
mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}") <(sort -u <<<"$installed"))
if (( ${#missing[@]} == 0 )); then exit 0; fi

as_root=()
if (( EUID != 0 )); then
  if ! command -v sudo >/dev/null; then
    echo "Please install as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 </dev/null; }

echo "Installing ${#missing[@]} packages: ${missing[*]}"
# A failing update alone does no harm: one broken third-party source must not hide that Debian's own answers.
apt update || { echo "apt-get update had problems:"; tail -n 5 "$log"; } >&2
if ! apt install -y --no-install-recommends "${missing[@]}"; then
  echo "apt-get install failed:" >&2
  tail -n 30 "$log" >&2
  exit 1
fi
