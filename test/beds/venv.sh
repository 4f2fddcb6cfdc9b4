# Python environments of beds, for their build.sh.

# make_venv FOLDER REQUIREMENTS [OPTION OF PIP...]: what is there already is left as it is; another list of packages makes
# another one. What pip says is in FOLDER.log.
make_venv() {
  local folder=$1 requirements=$2
  if cmp -s "$requirements" "$folder/requirements.txt"; then return 0; fi
  mkdir -p "$(dirname "$folder")"
  if install_venv "$@" >"$folder.log" 2>&1; then return 0; fi
  tail -n 20 "$folder.log" >&2
  return 1
}

install_venv() {
  local folder=$1 requirements=$2
  shift 2
  rm -rf "$folder"
  python3 -m venv "$folder" &&
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" -r "$requirements" &&
    cp "$requirements" "$folder/requirements.txt"
}
