#!/bin/sh
# Installs for this user: the program below ~/.local/opt, its entry in the menu, two commands.
# Over an earlier version it replaces that; settings, models and videos stay.
set -eu
here=$(dirname "$(readlink -f "$0")")
data=${XDG_DATA_HOME:-$HOME/.local/share}
target=$HOME/.local/opt/magi-desktop
commands=$HOME/.local/bin

fail() {
    echo "$1" >&2
    exit 1
}

if [ "$(uname -m)" != x86_64 ]; then
    fail "Magi Desktop is made for 64-bit PCs (x86_64); this is a $(uname -m)."
fi
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    fail "Magi Desktop needs Python 3.11 or later: install the package python3 and try again."
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
    printf '#!/bin/sh\nexec python3 -I "%s/app"%s "$@"\n' "$target" "$extra" >"$commands/$name"
    chmod 755 "$commands/$name"
done
# A menu does not search ~/.local/bin on every system.
quoted=$(printf '%s' "$commands" | sed 's/[&|\\]/\\&/g')
sed -i "s|^Exec=magi-desktop|Exec=\"$quoted/magi-desktop\"|" \
    "$data/applications/magi-desktop.desktop"
for tool in update-desktop-database gtk-update-icon-cache; do
    folder=$data/applications
    if [ "$tool" = gtk-update-icon-cache ]; then folder=$data/icons/hicolor; fi
    if command -v "$tool" >/dev/null; then "$tool" -q "$folder" || true; fi
done
missing=$(python3 -I "$target/missing_libraries.py")
if [ -n "$missing" ]; then
    echo "The window also needs these libraries of your system, which are missing: $missing"
fi
echo "Magi Desktop is in the menu, and starts with: $commands/magi-desktop"
echo "To remove it: $target/uninstall.sh"
