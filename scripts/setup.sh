#!/usr/bin/env bash
# Make the environment: a Python of 3.11 to 3.13 that can make environments, then exactly requirements.lock.
set -euo pipefail
venv=$1
if [ -n "$(ls -A "$venv" 2>/dev/null)" ] && [ ! -f "$venv/pyvenv.cfg" ]; then
    echo "error: $venv: is a folder but no environment → name another: make setup VENV=.venv" >&2
    exit 1
fi
fits='import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'
candidates=(python3.11 python3.12 python3.13 python3)
[ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
all=$(grep -c == requirements.lock)
show_progress() {  # pip's lines -> one that counts the packages
    local count=0 line one='\r%3d of at most %d: %-50.50s'
    [ -t 1 ] || one='%3d of at most %d: %s\n'
    while IFS= read -r line; do
        case $line in
            Collecting*) printf "$one" "$((++count))" "$all" "${line#Collecting }" ;;
            'Installing collected'*) printf '\n%s\n' "installing them" ;;
        esac
    done
}
for python in "${candidates[@]}"; do
    if "$python" -c "$fits" >/dev/null 2>&1; then
        echo "Setting up $venv with $("$python" --version) and requirements.lock (PyTorch is large: some minutes)"
        "$python" -m venv --clear "$venv"
        "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off --no-compile \
            -r requirements.lock | show_progress
        # What pip compiles on one core; some packages carry a file for another Python, which is left alone.
        "$venv/bin/python" -W ignore -m compileall -qq -j 0 "$venv"/lib/python3*/site-packages || true
        "$venv/bin/python" -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
        exit 0
    fi
done
echo "error: no Python 3.11, 3.12 or 3.13 with the venv module → install one (Debian: apt install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3" >&2
exit 1
