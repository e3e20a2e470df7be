#!/bin/sh
# The agent that says what the review was made with. An agent needs no more than this: read the request, print JSON.
set -eu
cat >/dev/null  # the request: there is nothing in it that we need
version() { "$@" 2>&1 | head -n 1 | tr -cd '[:alnum:] .()-'; }
printf '{"git": "%s", "python": "%s", "system": "%s"}\n' "$(version git --version)" "$(version python3 --version)" "$(version uname -sr)"
