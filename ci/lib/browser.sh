# Sourced by the commands of ci/ that look at pages, after home.sh: a headless Chromium and what drives it.
# shellcheck shell=bash

found_browser() {
  local name
  for name in "${SLUICE_BROWSER:-}" chromium chromium-browser google-chrome; do
    if [[ -n "$name" ]] && command -v "$name"; then return; fi
  done
  return 1
}

# Sets `chromium`, and `browser_python` which drives it. Chromium is Debian's package, installed when it is missing and this may
# install it. Where one of the two cannot be had, the command that needs them ends with 3: counted as not run, never as passed.
#   need_browser NAME-OF-THE-COMMAND
need_browser() {
  local name="$1" venv="$SLUICE_HOME/venv-report" lock="$root/ci/requirements-report.txt" stamp
  if ! found_browser >/dev/null && [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
    echo "$name: installing Chromium (once)" >&2
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core fonts-liberation; } >&2 || true
  fi
  if ! chromium="$(found_browser)"; then
    echo "$name: NOT RUN: no Chromium on this machine, and it cannot be installed"
    exit 3
  fi
  stamp="$(sha256sum <"$lock")"
  if [[ "$(cat "$venv/.stamp" 2>/dev/null)" != "$stamp" ]]; then
    echo "$name: installing what drives the browser into $venv (once)" >&2
    rm -rf "$venv"
    "$("$root/ci/lib/venv")/bin/python" -m venv "$venv"
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock" >&2; then
      echo "$name: NOT RUN: what drives the browser cannot be installed on this machine"
      exit 3
    fi
    echo "$stamp" >"$venv/.stamp"
  fi
  browser_python="$venv/bin/python"
}
