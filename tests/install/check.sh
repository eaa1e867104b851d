#!/bin/bash
# Installs a build into a fresh folder and uses it as a stranger would: through
# pkg-config and through CMake, shared and static, from C and from C++, with
# each compiler there is.
# Usage: check.sh BUILD
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: check.sh BUILD}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
strict=(-Wall -Wextra -Wpedantic -Werror)

cmake --install "$build" --prefix "$prefix" >"$work/install.log"
pc=$(find "$prefix" -name weir.pc)
export PKG_CONFIG_PATH=${pc%/*} LD_LIBRARY_PATH=${pc%/pkgconfig/*}

say() {
    printf '== %s\n' "$*"
}

# Runs a program and refuses one that is linked the other way.
try() {
    local kind=$1 program=$2 is=static
    "$program"
    [[ $(ldd "$program") != *libweir* ]] || is=shared
    if [[ $is != "$kind" ]]; then
        say "$program is linked $is, not $kind"
        exit 1
    fi
}

# Words of `pkg-config` as an array in `words`; libweir.a must be asked for by
# its file name, or the linker takes the shared library beside it.
words_of() {
    read -r -a words < <(pkg-config "$@" weir)
    [[ $1 != --static ]] || words=("${words[@]/#-lweir/-l:libweir.a}")
}

pkg_config() {
    local compiler=$1 language=$2 dialect=$3 cflags
    words_of --cflags
    cflags=("${strict[@]}" -std="$dialect" "${words[@]}" -x "$language"
        "$here/ten_lines.c" -x none)
    say "pkg-config, $compiler, shared"
    words_of --libs
    "$compiler" "${cflags[@]}" -o "$work/shared" "${words[@]}"
    try shared "$work/shared"
    say "pkg-config, $compiler, static"
    words_of --static --libs
    "$compiler" "${cflags[@]}" -o "$work/static" "${words[@]}"
    try static "$work/static"
}

cmake_package() {
    local compiler=$1 folder=$work/cmake-$1
    say "find_package, $compiler"
    cmake -S "$here" -B "$folder" -DCMAKE_C_COMPILER="$compiler" \
        -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" ||
        { cat "$work/cmake.log" && exit 1; }
    cmake --build "$folder" >"$work/cmake.log" ||
        { cat "$work/cmake.log" && exit 1; }
    try shared "$folder/shared"
    try static "$folder/static"
}

# Every public header stands alone.
headers() {
    local compiler=$1 language=$2 header
    words_of --cflags
    for header in "$prefix"/include/weir/*.h; do
        printf '#include <weir/%s>\nint one;\n' "${header##*/}" |
            "$compiler" "${strict[@]}" -fsyntax-only "${words[@]}" \
                -x "$language" -
    done
}

for compiler in gcc clang; do
    if command -v "$compiler" >/dev/null; then
        pkg_config "$compiler" c c11
        cmake_package "$compiler"
        headers "$compiler" c
    fi
done
for compiler in g++ clang++; do
    if command -v "$compiler" >/dev/null; then
        pkg_config "$compiler" c++ c++11
        headers "$compiler" c++
    fi
done

say "DESTDIR puts the same files under another root"
DESTDIR=$work/stage cmake --install "$build" --prefix "$prefix" \
    >"$work/install.log"
diff <(cd "$prefix" && find . | sort) \
    <(cd "$work/stage$prefix" && find . | sort)
