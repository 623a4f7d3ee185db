#!/bin/sh
# Installs for this user: the program below ~/.local/opt, its entry in the menu, two commands.
# Over an earlier version it replaces that; settings, models and videos stay.
set -eu
here=$(dirname "$(readlink -f "$0")")
data=${XDG_DATA_HOME:-$HOME/.local/share}
target=$HOME/.local/opt/magi-desktop
own_python=$target-python
commands=$HOME/.local/bin

fail() {
    echo "$1" >&2
    exit 1
}

if [ "$(uname -m)" != x86_64 ]; then
    fail "Magi Desktop is made for 64-bit PCs (x86_64); this is a $(uname -m)."
fi
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2 || true)
oldest=2.34
if [ "$(printf '%s\n' "$oldest" "${glibc:-0}" | sort -V | head -n 1)" != "$oldest" ]; then
    fail "Magi Desktop needs a Linux with glibc $oldest or later, such as Debian 12, Ubuntu 22.04 \
or Fedora 35; this one has ${glibc:-another C library}."
fi
python=
# By its full path, as menus search other folders; and never that of a virtual environment.
for name in /usr/bin/python3 python3 python3.13 python3.12 python3.11 \
    "$own_python"/cpython-*/bin/python3.12; do
    if python=$("$name" -I -c 'import sys
print(sys._base_executable)
sys.exit(sys.version_info < (3, 11))' 2>/dev/null); then
        break
    fi
    python=
done
if [ -z "$python" ]; then
    echo "Fetching a Python for this program alone..."
    rm -rf "$own_python"
    if ! UV_PYTHON_INSTALL_DIR=$own_python UV_CACHE_DIR=$own_python/cache UV_NO_CONFIG=1 \
        "$here/magi-desktop/uv" -q python install 3.12 --no-bin; then
        rm -rf "$own_python"
        (cd "$HOME" && rmdir -p --ignore-fail-on-non-empty .local/opt)
        fail "Magi Desktop needs Python 3.11 or later, and it could not be fetched: \
connect to the network, or install your system's python3, and try again."
    fi
    python=$(find "$own_python" -path '*/bin/python3.12' | head -n 1)
fi
mkdir -p "$HOME/.local/opt" "$commands" "$data"
rm -rf "$target.new"
if ! cp -R "$here/magi-desktop" "$target.new" || ! cp -R "$here/share" "$target.new/share"; then
    rm -rf "$target.new"
    fail "There is too little space in $HOME: free 300 MB and try again."
fi
cp "$here/uninstall.sh" "$target.new/uninstall.sh"
# What is there is replaced only by something whole.
rm -rf "$target.old"
if [ -e "$target" ]; then mv "$target" "$target.old"; fi
mv "$target.new" "$target"
rm -rf "$target.old"
cp -R "$target/share/." "$data/"
for name in magi-desktop magi; do
    extra=
    if [ "$name" = magi ]; then extra=' --magi'; fi
    printf '#!/bin/sh\nexec "%s" -I "%s/app"%s "$@"\n' "$python" "$target" "$extra" \
        >"$commands/$name"
    chmod 755 "$commands/$name"
done
# A menu does not search ~/.local/bin on every system.
quoted=$(printf '%s' "$commands" | sed 's/[&|\\]/\\&/g')
sed -i "s|^Exec=magi-desktop|Exec=\"$quoted/magi-desktop\"|" \
    "$data/applications/magi-desktop.desktop"
if command -v update-desktop-database >/dev/null; then
    update-desktop-database -q "$data/applications" || true
fi
if [ -e "$data/icons/hicolor/icon-theme.cache" ]; then
    gtk-update-icon-cache -qtf "$data/icons/hicolor" || true
fi
missing=$("$python" -I "$target/missing_libraries.py")
if [ -n "$missing" ]; then
    echo "The window also needs these libraries of your system, which are missing: $missing"
fi
echo "Magi Desktop is in the menu, and starts with: $commands/magi-desktop"
echo "To remove it: $target/uninstall.sh"
