# Python environments of beds, for their up.sh.

# make_venv FOLDER REQUIREMENTS [OPTION OF PIP...]: what is there already is left as it is; another list of packages makes
# another one.
make_venv() {
  local folder=$1 requirements=$2
  shift 2
  if cmp -s "$requirements" "$folder/requirements.txt"; then return 0; fi
  rm -rf "$folder"
  python3 -m venv "$folder" &&
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" -r "$requirements" &&
    cp "$requirements" "$folder/requirements.txt"
}
