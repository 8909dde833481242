# Sourced by the commands of ci/: where the repository and everything written by them are.
# shellcheck shell=bash
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
export SLUICE_HOME="${SLUICE_HOME:-$root/.sluice}"
mkdir -p "$SLUICE_HOME"
SLUICE_HOME="$(cd "$SLUICE_HOME" && pwd)"
export PYTHONDONTWRITEBYTECODE=1

# Proofs and benchmarks have homes of their own, with servers of their own, so that a demo with the full data is not
# disturbed: `small` keeps a lake with all days in it, in `staged` the sources are set back and forth, in `bench` they stand
# at history. The environments and the programs are shared.
use_home() {
  local name="$1" whole="$SLUICE_HOME"
  case "$(basename "$whole")" in small | staged | bench | airflow) whole="$(dirname "$whole")" ;; esac
  SLUICE_HOME="$whole" "$root/ci/lib/venv" >/dev/null
  mkdir -p "$whole/$name" "$whole/bin" "$whole/bin-faults" "$whole/bin-release" "$whole/venv-s3"
  for shared in venv venv-s3 venv-aws venv-airflow bin bin-faults bin-release; do
    # What stood there before it was shared would swallow the link.
    [[ -L "$whole/$name/$shared" ]] || rm -rf "${whole:?}/$name/$shared"
    ln -sfn "$whole/$shared" "$whole/$name/$shared"
  done
  export SLUICE_HOME="$whole/$name"
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
