# shellcheck shell=bash
# What scripts/quickstart and scripts/test share. Sourced, never run; the caller has `set -u`.

# Colours for a person, none for a log.
# shellcheck disable=SC2034 # each script uses some
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' OFF=$'\e[0m'
else
  BOLD='' DIM='' RED='' GREEN='' OFF=''
fi

# Names in the demonstration are UTF-8, and sorting must not depend on the machine.
export LC_ALL=C.UTF-8

# Whatever repository or key the user works with has no place in a demonstration or a test.
unset REVU_REPO REVU_WORKSPACE REVU_KEY REVU_KEY_FILE REVU_KEY_COMMAND REVU_PASSPHRASE

title() { printf '\n%s== %s%s\n' "$BOLD" "$*" "$OFF"; }
note() { printf '%s%s%s\n' "$DIM" "$*" "$OFF"; }
complain() { printf '%serror:%s %s\n' "$RED" "$OFF" "$*" >&2; }
die() {
  complain "$@"
  exit 1
}

# install_packages PACKAGE...: with apt, as root or through sudo; its output is shown only if it fails.
install_packages() {
  local log root=()
  command -v apt-get >/dev/null ||
    die "this system has no apt-get; install what Debian calls '$*' with its own package manager, then run this again"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "installing needs root and there is no sudo; run as root: apt-get install $*"
    root=(sudo)
  fi
  # Up to two minutes for another apt to finish, such as a machine's first automatic update.
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120)
  log=$(mktemp)
  if { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
    rm -f "$log"
  else
    cat "$log" >&2
    rm -f "$log"
    die "apt-get could not install '$*'; its output is above"
  fi
}

# need_tools TABLE: installs what is missing of a table of lines "command package reason…".
need_tools() {
  local command package reason missing=()
  while read -r command package reason; do
    [ -n "$command" ] || continue
    type -P "$command" >/dev/null && continue # not `command -v`: the shell has a kill of its own
    note "installing $package: $reason"
    missing+=("$package")
  done <<<"$1"
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# A compiler counts if it compiles: `cc` without the C library's headers is half a compiler.
need_compiler() {
  c_compiles && return
  note "installing gcc and libc6-dev: the zstd library is C"
  install_packages gcc libc6-dev
  c_compiles || die "there is still no working C compiler: 'cc' cannot compile a file that includes <stdlib.h>"
}

c_compiles() {
  printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' |
    cc -x c - -o /dev/null 2>/dev/null
}

# Finds cargo, also where rustup put it but the shell does not know yet, and checks its age.
need_rust() {
  local least have
  command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  command -v cargo >/dev/null || die "there is no Rust here; install it from https://rustup.rs, then run this again"
  least=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  have=$(rustc --version | cut -d ' ' -f 2) || die "rustc does not run; see its message above"
  [ "$(printf '%s\n' "$least" "$have" | sort -V | head -n 1)" = "$least" ] ||
    die "Rust $have is too old, revu needs $least or newer; get it with: rustup update stable"
}

# What keeps this machine from mounting, in one sentence; nothing if it can.
fuse_obstacle() {
  if ! [ -c /dev/fuse ]; then
    echo "/dev/fuse is missing, so nothing can be mounted here; load it with 'modprobe fuse', or start the container with '--device /dev/fuse --cap-add SYS_ADMIN'"
  elif ! (: <>/dev/fuse) 2>/dev/null; then
    echo "/dev/fuse is there but user $(id -un) may not open it, so nothing can be mounted here; in a container, start it with '--device /dev/fuse --cap-add SYS_ADMIN', elsewhere allow it with 'sudo chmod 666 /dev/fuse', Debian's own setting"
  fi
}
