# Settings of the bed, for the scripts beside this one. Everything here can be set in the environment.

# Where the bed keeps its Python environment.
export BED=${BED:-${XDG_CACHE_HOME:-$HOME/.cache}/haulout-beds/cloudtower}
