#!/bin/sh
# Print a Python of version 3.11 to 3.13 that can make virtual environments, or say what to install.
# An interpreter given as PYTHON=... is taken or refused, never replaced by another one.

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
tried=""
no_venv=""

for candidate in ${PYTHON:-python3 python3.12 python3.13 python3.11 python}; do
  version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  tried="$tried $candidate ($version)"
  "$candidate" -c "$supported" 2>/dev/null || continue
  if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
    command -v "$candidate"
    exit 0
  fi
  no_venv="${no_venv:-$version}"
done

if [ -n "$no_venv" ]; then
  echo "Python $no_venv is here, but its modules venv and ensurepip are not." >&2
  echo "Install them (Debian and Ubuntu: apt-get install python$no_venv-venv) and run make again." >&2
else
  echo "paretail needs Python 3.11, 3.12 or 3.13. Tried ${PYTHON:-the usual names}; found:${tried:- none}." >&2
  echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2
fi
exit 1
