"""NPUs by target, memory that a net has to fit, and ports without conversions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.backends.delegation import Delegation, Outside
from edgevit.backends.ethos_u.delegation import require_npu
from edgevit.backends.ethos_u.memory import compiled_to_fit, require_flash, sram_limit
from edgevit.backends.ethos_u.npu import MACS, missing, npu_of
from edgevit.backends.ethos_u.options import EthosOptions
from edgevit.backends.ethos_u.vela import VelaReport, tool_versions
from edgevit.errors import DelegationError, MemoryLimitError, MissingToolError, TargetError
from edgevit.targets import list_targets, load_target

DEFAULT = EthosOptions()


def report(sram: int) -> VelaReport:
    return VelaReport({"sram": sram}, {}, 1, 1, 1, ())


def test_every_target_of_the_format_has_an_npu_that_vela_takes() -> None:
    targets = [target for target in list_targets() if "ethos-u" in target.formats]
    names = {npu_of(target, DEFAULT).name for target in targets}
    assert names >= {
        f"Ethos-{family}-{n}" for family, macs in MACS.items() for n in macs if n != 32
    }


@pytest.mark.parametrize(
    ("target", "said"),
    [("stm32n6", "Neural-ART"), ("pixel-8", "by name"), ("qemu-m4", "by name")],
)
def test_another_npu_is_refused_by_name(target: str, said: str) -> None:
    aim = load_target(target)
    lacks = missing(aim)
    assert lacks is not None and said in lacks[1]
    with pytest.raises(TargetError) as caught:
        aim.format("ethos-u")
    assert (lacks[1] in caught.value.why) == (aim.npu is not None)
    assert caught.value.hint
    with pytest.raises(TargetError, match="no Ethos-U") as caught:
        npu_of(aim, DEFAULT)
    assert caught.value.where and caught.value.why and "ethos-u55-256" in caught.value.hint


def test_a_size_that_no_ethos_u_has() -> None:
    aim = load_target("ethos-u55-256")
    other = replace(aim, compute=tuple(replace(u, name="Ethos-U55-512") for u in aim.compute))
    assert missing(other) == ("npu", missing(other)[1])  # type: ignore[index]


def test_the_words_choose_vela_s_configuration() -> None:
    npu = npu_of(
        load_target("ethos-u85-512"),
        EthosOptions(npu_system="Ethos_U85_SYS_DRAM_Mid", npu_memory="Dedicated_Sram"),
    )
    assert npu.as_dict() == {
        "name": "Ethos-U85-512",
        "macs_per_cycle": 512,
        "system_config": "Ethos_U85_SYS_DRAM_Mid",
        "memory_mode": "Dedicated_Sram",
    }
    assert npu.accelerator == "ethos-u85-512"


def test_the_limit_is_the_largest_sram_that_the_npu_reaches() -> None:
    assert sram_limit(load_target("alif-ensemble-e7"), DEFAULT) == 4 << 20  # no TCM
    assert sram_limit(load_target("ethos-u55-256"), DEFAULT) is None
    assert sram_limit(load_target("alif-ensemble-e7"), EthosOptions(npu_sram=1000)) == 1000


def test_a_net_that_does_not_fit_for_speed_is_compiled_for_size() -> None:
    aim = load_target("corstone-300")
    npu = npu_of(aim, DEFAULT)
    tried: list[bool] = []

    def compile_net(small: bool) -> VelaReport:
        tried.append(small)
        return report(500 if small else 2000)

    assert compiled_to_fit(compile_net, npu, aim, 1000).memory["sram"] == 500
    assert tried == [False, True]
    assert compiled_to_fit(compile_net, npu, aim, None).memory["sram"] == 2000
    with pytest.raises(MemoryLimitError, match="100 more than the 400") as caught:
        compiled_to_fit(compile_net, npu, aim, 400)
    assert (
        caught.value.where and "2,000" in caught.value.why and "--input-size" in caught.value.hint
    )


def test_a_file_larger_than_the_flash() -> None:
    aim = load_target("alif-ensemble-e7")
    require_flash(5 << 20, aim)
    require_flash(1 << 40, load_target("ethos-u55-256"))  # nobody knows
    with pytest.raises(MemoryLimitError, match="more than the largest flash") as caught:
        require_flash(6 << 20, aim)
    assert caught.value.where and caught.value.why and caught.value.hint


def test_ops_on_the_cpu_are_an_error_where_asked() -> None:
    part = Delegation("the Ethos-U55-256", 2, 10, (Outside("FLOOR", "net.py:3", 2, 8),))
    with pytest.raises(DelegationError, match="2 ops stay on the CPU") as caught:
        require_npu(part)
    assert "net.py:3" in caught.value.where and caught.value.why and caught.value.hint
    require_npu(replace(part, outside=()))


def test_without_vela_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(MissingToolError) as caught:
        tool_versions()
    assert caught.value.hint == "pip install 'edgevit[ethos-u]'"


def test_names_of_operators_are_those_of_the_resolver() -> None:
    from edgevit.snippets.for_ethos_u import resolver_name

    names = ("CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D", "GATHER", "RESIZE_NEAREST_NEIGHBOR")
    assert [resolver_name(name) for name in names] == [
        "Conv2D",
        "FullyConnected",
        "DepthwiseConv2D",
        "Gather",
        "ResizeNearestNeighbor",
    ]
