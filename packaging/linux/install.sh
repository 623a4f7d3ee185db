#!/bin/sh
# Installs for this user: the program below ~/.local/opt, its entry in the menu, two commands.
set -eu
here=$(dirname "$(readlink -f "$0")")
data=${XDG_DATA_HOME:-$HOME/.local/share}
target=$HOME/.local/opt/magi-desktop
commands=$HOME/.local/bin

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Magi Desktop needs Python 3.11 or later: install the package python3 and try again." >&2
    exit 1
fi
mkdir -p "$HOME/.local/opt" "$commands" "$data"
rm -rf "$target.new"
cp -R "$here/magi-desktop" "$target.new"
cp "$here/uninstall.sh" "$target.new/uninstall.sh"
# What is there is replaced only by something whole.
rm -rf "$target.old"
if [ -e "$target" ]; then mv "$target" "$target.old"; fi
mv "$target.new" "$target"
rm -rf "$target.old"
cp -R "$here/share/." "$data/"
for name in magi-desktop magi; do
    extra=
    if [ "$name" = magi ]; then extra=' --magi'; fi
    printf '#!/bin/sh\nexec python3 -I "%s/app"%s "$@"\n' "$target" "$extra" >"$commands/$name"
    chmod 755 "$commands/$name"
done
# A menu does not search ~/.local/bin on every system.
sed -i "s|^Exec=magi-desktop|Exec=\"$commands/magi-desktop\"|" \
    "$data/applications/magi-desktop.desktop"
for tool in update-desktop-database gtk-update-icon-cache; do
    folder=$data/applications
    if [ "$tool" = gtk-update-icon-cache ]; then folder=$data/icons/hicolor; fi
    if command -v "$tool" >/dev/null; then "$tool" -q "$folder" || true; fi
done
echo "Magi Desktop is in the menu, and starts with: $commands/magi-desktop"
echo "To remove it: $target/uninstall.sh"
