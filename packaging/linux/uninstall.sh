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
"$commands/magi-desktop" --remove $everything
# A file, and the folders above it that are empty then.
remove() (
    cd "$1"
    rm -f "$2"
    rmdir -p --ignore-fail-on-non-empty "$(dirname "$2")" 2>/dev/null || true
)
(cd "$target/share" && find * -type f) | while read -r file; do remove "$data" "$file"; done
# Lists of what is in a folder, which the system may have made: true again, or gone with the rest.
renew() {
    if [ "$(ls -A "$data/$2" 2>/dev/null)" = "$3" ]; then
        remove "$data" "$2/$3"
    elif [ -d "$data/$2" ] && command -v "$1" >/dev/null; then
        "$1" -q "$data/$2" || true
    fi
}
renew update-desktop-database applications mimeinfo.cache
renew gtk-update-icon-cache icons/hicolor icon-theme.cache
rm -rf "$target" "$target-python"
(cd "$HOME" && rmdir -p --ignore-fail-on-non-empty .local/opt)
remove "$HOME" .local/bin/magi-desktop
remove "$HOME" .local/bin/magi
echo "Magi Desktop is removed. Your videos are where they were."
