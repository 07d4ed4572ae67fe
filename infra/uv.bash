# Sourced by the scripts here: defines `uv`, and installs it where it is missing.
if ! command -v uv >/dev/null; then
    if ! python3 -m uv --version >/dev/null 2>&1; then
        echo "installing uv" >&2
        # Debian's own Python takes packages only with the second spelling.
        python3 -m pip install --quiet uv 2>/dev/null ||
            python3 -m pip install --quiet --user --break-system-packages uv
    fi
    # Its program may be in a folder that is not in PATH; its module is always found.
    uv() { python3 -m uv "$@"; }
fi
