#!/bin/sh
# Cross compilers, emulators, servers and a browser for the tests, from Debian or Ubuntu, where they are missing
# and where that is allowed. What stays missing is skipped by the tests, and fails them in CI.
set -eu
PATH=$PATH:/usr/sbin:/sbin

missing=""
need() { # package, then the programs of which one is enough
    package=$1
    shift
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 && return
    done
    missing="$missing $package"
}

need gcc-arm-none-eabi arm-none-eabi-gcc
need gcc-riscv64-unknown-elf riscv64-unknown-elf-gcc
need qemu-system-arm qemu-system-arm
need qemu-system-misc qemu-system-riscv32
need clang-19 clang clang-15 clang-16 clang-17 clang-18 clang-19 clang-20 # the Cortex-M55
need cmake cmake                                                          # bundles
need make make gmake
need gcc cc gcc clang                                                     # QEMU's plugin

need openssh-server sshd
need openssh-client ssh
need adb adb
need postgresql initdb /usr/lib/postgresql/*/bin/initdb
need chromium chromium # the report is looked at, pages run their models
need npm npm           # fetches the runtimes of pages

[ -n "$missing" ] || exit 0
install="apt-get install -y -qq --no-install-recommends$missing"

# What is installed must not start servers here (ssh, PostgreSQL): Debian's own way to say so.
as_root='
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { printf "#!/bin/sh\nexit 101\n" >$policy && chmod 755 $policy && ours=$policy; }
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && '"$install"' >/dev/null
    status=$?
    [ -z "${ours:-}" ] || rm -f "$ours"
    exit $status'

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Tests are skipped in part. They need, under Debian's names:$missing"
elif [ "$(id -u)" -eq 0 ]; then
    sh -c "$as_root" || echo "Not installed: $install"
elif sudo -n true 2>/dev/null; then
    sudo -n sh -c "$as_root" || echo "Not installed: $install"
else
    echo "Tests are skipped in part. To run them all: sudo $install"
fi
