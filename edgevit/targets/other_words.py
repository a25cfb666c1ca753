"""Words that people type for devices and precisions, and what edgevit calls them.

Those for formats are in their `BackendInfo`. They are suggestions: none of them is taken in place of a name. Keys are `same_letters`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NOT_LETTERS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class OtherWord:
    instead: tuple[str, ...]
    why: str = ""  # empty: the usual reason


def same_letters(text: str) -> str:
    """Return a word as it is compared: `iPhone 15`, `iphone_15` and `iphone-15` are one."""
    return _NOT_LETTERS.sub("", text.lower())


_NO_NVIDIA = OtherWord(("linux-x86",), "TensorRT reads an .onnx: --format onnx writes one")
_XTENSA = OtherWord(("esp32-c3",), "its cores are Xtensa, for which there are no kernels here")
_NPU = OtherWord(("snapdragon-8-elite", "snapdragon-8-gen-3", "qcs6490", "snapdragon-x-elite"))
_ANY = OtherWord(("linux-x86",))
_PI = OtherWord(("raspberry-pi-4", "raspberry-pi-5"), "no older Raspberry Pi is among the targets")

DEVICES = {
    "apple": OtherWord(("iphone",)),
    "ane": OtherWord(("iphone",)),
    "neuralengine": OtherWord(("iphone",)),
    "ipad": OtherWord(("iphone",), "an iPad runs the same package as an iPhone of its chip"),
    "ipados": OtherWord(("iphone",), "an iPad runs the same package as an iPhone of its chip"),
    "mac": OtherWord(("iphone",), "a Mac runs the same package as an iPhone"),
    "macos": OtherWord(("iphone",), "a Mac runs the same package as an iPhone"),
    "phone": OtherWord(("iphone", "android")),
    "mobile": OtherWord(("iphone", "android")),
    "google": OtherWord(("pixel",)),
    "qualcomm": _NPU,
    "snapdragon": _NPU,
    "hexagon": _NPU,
    "htp": _NPU,
    "npu": _NPU,
    "arduino": OtherWord(
        ("nrf52840", "rp2040"),
        "a board is named by its chip: Nano 33 BLE nrf52840, Nano RP2040 Connect rp2040",
    ),
    "esp32": _XTENSA,
    "esp32s2": _XTENSA,
    "esp32s3": _XTENSA,
    "esp8266": _XTENSA,
    "stm32": OtherWord(("stm32f407", "stm32f746", "stm32h743")),
    "teensy": OtherWord(("qemu-m7",), "no i.MX RT is among the targets; qemu-m7 has its core"),
    "cortexm0": OtherWord(("rp2040",)),
    "cortexm3": OtherWord(("qemu-m3",)),
    "cortexm4": OtherWord(("qemu-m4", "stm32f407", "nrf52840")),
    "cortexm7": OtherWord(("qemu-m7", "stm32f746", "stm32h743")),
    "cortexm33": OtherWord(("rp2350",)),
    "cortexm55": OtherWord(("qemu-m55", "corstone-300", "alif-ensemble-e7")),
    "m4": OtherWord(("qemu-m4",)),
    "m7": OtherWord(("qemu-m7",)),
    "m55": OtherWord(("qemu-m55",)),
    "pi": OtherWord(("raspberry-pi-4", "raspberry-pi-5")),
    "pi3": _PI,
    "pi4": OtherWord(("raspberry-pi-4",)),
    "pi5": OtherWord(("raspberry-pi-5",)),
    "rpi3": _PI,
    "raspberrypi3": _PI,
    "raspberrypizero": _PI,
    "coral": OtherWord(
        ("linux-x86",), "the Edge TPU's compiler takes a .tflite: --format tflite --precision int8"
    ),
    "riscv": OtherWord(("qemu-riscv32", "esp32-c3")),
    "microcontroller": OtherWord(("qemu-m4", "stm32f746", "rp2040")),
    "jetson": _NO_NVIDIA,
    "nvidia": _NO_NVIDIA,
    "cuda": _NO_NVIDIA,
    "tensorrt": _NO_NVIDIA,
    "gpu": _NO_NVIDIA,
    "cpu": _ANY,
    "pc": _ANY,
    "desktop": _ANY,
    "laptop": _ANY,
    "server": _ANY,
    "linux": OtherWord(("linux-x86", "raspberry-pi-4")),
    "aarch64": OtherWord(("raspberry-pi-4", "raspberry-pi-5")),
    "arm64": OtherWord(("raspberry-pi-4", "raspberry-pi-5")),
    "windows": OtherWord(
        ("snapdragon-x-elite", "linux-x86"),
        "on another PC with Windows, ONNX Runtime reads what linux-x86 --format onnx writes",
    ),
}

PRECISIONS = {
    "half": ("fp16",),
    "float16": ("fp16",),
    "f16": ("fp16",),
    "16": ("fp16",),
    "bf16": ("fp16", "fp32"),
    "bfloat16": ("fp16", "fp32"),
    "float": ("fp32",),
    "float32": ("fp32",),
    "f32": ("fp32",),
    "full": ("fp32",),
    "32": ("fp32",),
    "8": ("int8",),
    "i8": ("int8",),
    "uint8": ("int8",),
    "8bit": ("int8",),
    "quantized": ("int8",),
    "quantised": ("int8",),
    "ptq": ("int8",),
    "w8a8": ("int8",),
    "dynamic": ("int8-dynamic", "int8"),
    "int16": ("w8a16", "int8"),
    "int4": ("w4", "w4a8", "palette4"),
    "4bit": ("w4", "w4a8", "palette4"),
    "w4a16": ("w4", "palette4"),
    "palettized": ("palette8", "palette6", "palette4"),
    "best": ("mixed", "auto"),
}
