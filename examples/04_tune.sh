#!/bin/sh
# The schedule that fits 4 KB, chosen by running firmware on an emulated core; then the same artifact from the plan alone.
# Needs pip install 'edgevit[mcu,tune]'.
set -eu
out=${1:-out/tune}

edgevit tune zoo:vit-i32-p8-d24-h2-l1 --target qemu-m4 --on emulator --max-ram 4K --budget 2 -o "$out/tuned" --quiet
edgevit export zoo:vit-i32-p8-d24-h2-l1 --target qemu-m4 --plan "$out/tuned/plan.toml" -o "$out/again" --quiet
