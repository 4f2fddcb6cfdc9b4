# Debian packages of a bed. LOG is the directory of its logs.

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
  # Keeps the packages from starting servers of their own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  apt-get update -q >"$LOG/apt.log" 2>&1
  # Without an fsync for each file it takes half the time. The list is split into words on purpose.
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Options::=--force-confold $missing >>"$LOG/apt.log" 2>&1
}
