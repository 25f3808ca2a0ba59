# Installs what the given extras of Impasto need into /opt/impasto, pinned, trimmed and compiled: sh install.sh server cpu
set -eu
python3 requirements.py pyproject.toml "$@" >/tmp/requirements.txt
# shellcheck disable=SC2086  # several flags, or none
/opt/pip/bin/pip --python /opt/impasto/bin/python install --quiet --no-compile \
    --constraint constraints.txt --requirement /tmp/requirements.txt ${PIP_FLAGS:-}
python3 trim.py /opt/impasto/lib/python3*/site-packages
# Bytecode is made here, for where it runs nothing can be written. It is not tied to the files' times, which a tool that
# makes images reproducible may set. What is left out is torch's, in the language of a newer Python.
python3 -m compileall -q -j 0 -x '/py3[0-9]+_[a-z]+\.py$' --invalidation-mode unchecked-hash /opt/impasto/lib
