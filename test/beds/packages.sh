# Debian packages of beds, for their build.sh. LOG is the directory of the bed's logs: what apt says is in apt.log there.

is_installed() { # PACKAGE
  dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

install_packages() { # PACKAGE...
  local missing="" package
  for package in "$@"; do is_installed "$package" || missing="$missing $package"; done
  if [ -z "$missing" ]; then return 0; fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "these packages are missing, and only root can install them:$missing" >&2
    return 1
  fi
  mkdir -p "$LOG"
  # The list is split into words on purpose.
  # shellcheck disable=SC2086
  if fetch_packages $missing >"$LOG/apt.log" 2>&1; then return 0; fi
  tail -n 20 "$LOG/apt.log" >&2
  return 1
}

fetch_packages() { # PACKAGE...
  # Keeps the packages from starting servers of their own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  # Without an fsync for each file it takes half the time.
  apt-get update -q &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
      -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Options::=--force-confold "$@"
}
