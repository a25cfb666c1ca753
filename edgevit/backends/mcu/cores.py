"""Table of the processor cores that firmware is compiled for and run on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgevit.errors import TargetError, suggest
from edgevit.targets import Target

MIB = 1024 * 1024


@dataclass(frozen=True)
class MemoryMap:
    """Memory map of the emulated board: its largest memories, not any chip's."""

    boot_base: int  # a page for the vectors, or the first jump
    flash_base: int
    flash_size: int
    ram_base: int
    ram_size: int


@dataclass(frozen=True)
class QemuBoard:
    """Board that QEMU emulates the core on."""

    program: str
    name: str
    cpu: str | None = None


@dataclass(frozen=True)
class Core:
    name: str
    title: str
    architecture: str  # arm | riscv
    families: tuple[str, ...]  # instruction set families of kernels, the best first
    isa: str  # a target's base ISA that this core has
    zig: tuple[str, ...]  # flags of `zig cc` that name the core
    gcc: tuple[str, ...]
    memory: MemoryMap
    machine: QemuBoard | None  # none: QEMU has no board of it with enough memory
    unicorn: str | None  # the constant's name; none: Unicorn lacks its instructions
    # To first order, of these kernels' mix of instructions, with memory that never waits. Predicted: a board measures.
    cycles_per_instruction: float
    # Instructions a MAC that a product takes where its kernel runs well, a depthwise convolution twice as many.
    per_mac: float | None = None
    # Products that take as long as a value takes beside its own: a clamp, a table, a store; to first order.
    value_products: int = 6
    aligned: bool = False  # words must be read where they are aligned; no emulator insists on it
    clang: tuple[str, ...] = ()  # compiled by clang and linked by gcc: gcc 12 crashes on MVE

    @property
    def is_arm(self) -> bool:
        return self.architecture == "arm"


PAGE = 4096
_MPS2 = MemoryMap(0x0000_0000, 0x2100_0000, 16 * MIB, 0x2000_0000, 4 * MIB)


def _zig_arm(cpu: str, abi: str = "eabihf") -> tuple[str, ...]:
    return ("-target", f"thumb-freestanding-{abi}", f"-mcpu={cpu}")


def _hard(fpu: str) -> tuple[str, ...]:
    return ("-mfloat-abi=hard", f"-mfpu={fpu}")


_ALIGNED = ("-mno-unaligned-access",)
_SOFT = ("-mfloat-abi=soft",)

CORES: dict[str, Core] = {
    core.name: core
    for core in (
        Core(
            name="m0plus",
            title="Cortex-M0+",
            architecture="arm",
            families=("plain",),
            isa="armv6-m",
            zig=(*_zig_arm("cortex_m0plus", "eabi"), *_ALIGNED),
            gcc=("-mcpu=cortex-m0plus", "-mthumb", *_SOFT, *_ALIGNED),
            memory=_MPS2,
            machine=None,
            unicorn="UC_CPU_ARM_CORTEX_M0",
            cycles_per_instruction=1.4,
            aligned=True,
        ),
        Core(
            name="m3",
            title="Cortex-M3",
            architecture="arm",
            families=("plain",),
            isa="armv7-m",
            zig=_zig_arm("cortex_m3", "eabi"),
            gcc=("-mcpu=cortex-m3", "-mthumb", *_SOFT),
            memory=_MPS2,
            machine=QemuBoard("qemu-system-arm", "mps2-an385", "cortex-m3"),
            unicorn="UC_CPU_ARM_CORTEX_M3",
            cycles_per_instruction=1.35,
        ),
        Core(
            name="m4",
            title="Cortex-M4",
            architecture="arm",
            families=("dsp", "plain"),
            isa="armv7e-m",
            zig=_zig_arm("cortex_m4+vfp4d16sp"),
            gcc=("-mcpu=cortex-m4", "-mthumb", *_hard("fpv4-sp-d16")),
            memory=_MPS2,
            machine=QemuBoard("qemu-system-arm", "mps2-an386", "cortex-m4"),
            unicorn="UC_CPU_ARM_CORTEX_M4",
            cycles_per_instruction=1.3,
            per_mac=2.0,
        ),
        Core(
            name="m7",
            title="Cortex-M7",
            architecture="arm",
            families=("dsp", "plain"),
            isa="armv7e-m",
            zig=_zig_arm("cortex_m7+fp_armv8d16sp"),
            gcc=("-mcpu=cortex-m7", "-mthumb", *_hard("fpv5-sp-d16")),
            memory=replace(_MPS2, flash_base=0x6000_0000),
            machine=QemuBoard("qemu-system-arm", "mps2-an500", "cortex-m7"),
            unicorn="UC_CPU_ARM_CORTEX_M7",
            cycles_per_instruction=0.8,
            per_mac=2.0,
        ),
        Core(
            name="m33",
            title="Cortex-M33",
            architecture="arm",
            families=("dsp", "plain"),
            isa="armv8-m.main",
            zig=_zig_arm("cortex_m33+dsp+fp_armv8d16sp"),
            gcc=("-mcpu=cortex-m33", "-mthumb", *_hard("fpv5-sp-d16")),
            # Boot and RAM by their secure aliases: the core starts secure.
            memory=MemoryMap(0x1000_0000, 0x8000_0000, 16 * MIB, 0x3800_0000, 4 * MIB),
            machine=QemuBoard("qemu-system-arm", "mps2-an505", "cortex-m33"),
            unicorn="UC_CPU_ARM_CORTEX_M33",
            cycles_per_instruction=1.2,
            per_mac=2.0,
        ),
        Core(
            name="m55",
            title="Cortex-M55",
            architecture="arm",
            families=("mve", "dsp", "plain"),
            isa="armv8.1-m.main",
            zig=_zig_arm("cortex_m55+mve+mve_fp"),
            gcc=("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"),
            memory=MemoryMap(0x0000_0000, 0x6000_0000, 64 * MIB, 0x2100_0000, 4 * MIB),
            machine=QemuBoard("qemu-system-arm", "mps3-an547", "cortex-m55"),
            unicorn=None,
            cycles_per_instruction=1.4,
            value_products=24,  # 2 to 4 instructions, where a product takes 0.13
            clang=("--target=thumb-none-eabi", "-mcpu=cortex-m55", "-mfloat-abi=hard"),
        ),
        Core(
            name="rv32",
            title="RV32IMC",
            architecture="riscv",
            families=("plain",),
            isa="rv32imc",
            zig=("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m+c"),
            gcc=("-march=rv32imc", "-mabi=ilp32", "-mstrict-align"),
            memory=MemoryMap(0x8000_0000, 0x8000_1000, 63 * MIB, 0x8400_0000, 16 * MIB),
            machine=QemuBoard("qemu-system-riscv32", "virt", "rv32"),
            unicorn="UC_CPU_RISCV32_BASE32",
            cycles_per_instruction=1.3,
            aligned=True,
        ),
    )
}

# For a CPU without a name of its own here: the first core whose ISA and features the CPU has.
_BY_ISA = (
    ("armv8.1-m.main", {"mve"}, "m55"),
    ("armv8.1-m.main", {"dsp", "fp"}, "m33"),
    ("armv8-m.main", {"dsp", "fp"}, "m33"),
    ("armv7e-m", {"dsp", "fp"}, "m4"),
    ("armv8.1-m.main", set[str](), "m3"),
    ("armv8-m.main", set[str](), "m3"),
    ("armv7e-m", set[str](), "m3"),
    ("armv7-m", set[str](), "m3"),
    ("armv6-m", set[str](), "m0plus"),
    ("rv32imc", set[str](), "rv32"),
    ("rv32imac", set[str](), "rv32"),
)


def core(name: str) -> Core:
    if name not in CORES:
        raise TargetError(f"no core is called `{name}`", hint=suggest(name, CORES))
    return CORES[name]


def core_of(target: Target) -> Core:
    """Return the core that stands for the target's CPU, by name, else by instruction set."""
    cpu = target.cpu
    isa = (cpu.isa or "").split("+")[0] if cpu else ""
    for candidate in CORES.values():
        if cpu and cpu.name == candidate.title and isa == candidate.isa:
            return candidate
    for base, needed, name in _BY_ISA:
        if cpu and isa == base and needed <= {part.split(".")[0] for part in cpu.features}:
            return CORES[name]
    raise TargetError(
        f"firmware cannot be made for the CPU of `{target.name}`",
        where=str(target.file),
        why=f"its ISA is `{cpu.isa if cpu else None}`",
        hint="cores: " + ", ".join(candidate.title for candidate in CORES.values()),
    )
