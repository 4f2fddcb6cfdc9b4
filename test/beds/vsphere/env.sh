# Settings of the bed, for the scripts beside this one. Everything here can be set in the environment.

# State of the bed: programs, certificate, log and the id of its process.
export BED=${BED:-${XDG_CACHE_HOME:-$HOME/.cache}/haulout-beds/vsphere}
# On 127.0.0.1; 0 takes a free one.
PORT=${PORT:-18989}
# More flags for vcsimx, such as "-drs -hosts 4".
ARGS=${ARGS:-}
