# Sourced by the commands of ci/: where the repository and everything written by them are.
# shellcheck shell=bash
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
export SLUICE_HOME="${SLUICE_HOME:-$root/.sluice}"
mkdir -p "$SLUICE_HOME"
SLUICE_HOME="$(cd "$SLUICE_HOME" && pwd)"
export PYTHONDONTWRITEBYTECODE=1

# The small slice has a home of its own, so that a demo with the full data is not disturbed by a proof.
# The environment and the programs are shared.
use_small_home() {
  local whole="$SLUICE_HOME"
  [[ "$(basename "$whole")" == small ]] && return
  "$root/ci/lib/venv" >/dev/null
  mkdir -p "$whole/small" "$whole/bin" "$whole/bin-faults"
  for shared in venv bin bin-faults; do
    ln -sfn "$whole/$shared" "$whole/small/$shared"
  done
  export SLUICE_HOME="$whole/small"
}

# Makes the key of the customer tokens, once per home.
make_token_key() {
  local key="$SLUICE_HOME/secrets/masking/token-key"
  if [[ ! -f "$key" ]]; then
    mkdir -p "$(dirname "$key")"
    (umask 077 && printf '{"key_id": "k1", "key": "%s"}\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >"$key.part")
    mv "$key.part" "$key"
  fi
}

seconds_since() { echo $((SECONDS - $1)); }
