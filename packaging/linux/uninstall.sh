#!/bin/sh
# Removes what install.sh and the first start made. Videos always stay; models, settings and the
# list of videos stay too, unless --everything is given or the question is answered with yes.
set -eu
data=${XDG_DATA_HOME:-$HOME/.local/share}
target=$HOME/.local/opt/magi-desktop
commands=$HOME/.local/bin

everything=
if [ "${1-}" = --everything ]; then
    everything=--everything
elif [ -t 0 ]; then
    printf 'Remove models, settings and the list of videos as well? The videos stay. [y/N] '
    read -r answer || answer=
    case $answer in [yY]*) everything=--everything ;; esac
fi

# shellcheck disable=SC2086
python3 -I "$target/app" --remove $everything
remove() {
    rm -f "$1"
    rmdir -p --ignore-fail-on-non-empty "$(dirname "$1")" 2>/dev/null || true
}
(cd "$target/share" && find . -type f) | while read -r file; do remove "$data/$file"; done
for tool in update-desktop-database gtk-update-icon-cache; do
    folder=$data/applications
    if [ "$tool" = gtk-update-icon-cache ]; then folder=$data/icons/hicolor; fi
    if [ -d "$folder" ] && command -v "$tool" >/dev/null; then "$tool" -q "$folder" || true; fi
done
rm -rf "$target"
rmdir --ignore-fail-on-non-empty "$HOME/.local/opt"
remove "$commands/magi-desktop"
remove "$commands/magi"
echo "Magi Desktop is removed. Your videos are where they were."
