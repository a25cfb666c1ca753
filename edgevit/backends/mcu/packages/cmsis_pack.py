"""CMSIS-Pack: a .pdsc description and the .pack that holds it with the files. Open-CMSIS-Pack specification, 1.7."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from edgevit.backends.mcu.packages.archive import write_zip
from edgevit.backends.mcu.packages.firmware import Firmware

_VENDOR = "edgevit"
_SCHEMA = "1.7.36"
_CORES = {
    "-mcpu=cortex-m0plus": ("Cortex-M0+", "Cortex-M0"),
    "-mcpu=cortex-m3": ("Cortex-M3",),
    "-mcpu=cortex-m4": ("Cortex-M4",),
    "-mcpu=cortex-m7": ("Cortex-M7",),
    "-mcpu=cortex-m33": ("Cortex-M33",),
    "-mcpu=cortex-m55": ("Cortex-M55",),
}


def cmsis_pack(firmware: Firmware, folder: Path) -> Path:
    content = folder / "content"
    firmware.copy_library(content)
    name = f"ev_model_{firmware.slug}"
    description = content / f"{_VENDOR}.{name}.pdsc"
    tree = ET.ElementTree(_package(firmware, name))
    ET.indent(tree)
    tree.write(description, "UTF-8", xml_declaration=True)
    return write_zip(content, folder / f"{_VENDOR}.{name}.{firmware.version}.pack")


def _package(firmware: Firmware, name: str) -> ET.Element:
    """Return the description. The order of its elements is the schema's."""
    package = ET.Element(
        "package",
        {
            "schemaVersion": _SCHEMA,
            "xmlns:xs": "http://www.w3.org/2001/XMLSchema-instance",
            "xs:noNamespaceSchemaLocation": f"https://raw.githubusercontent.com/Open-CMSIS-Pack/Open-CMSIS-Pack-Spec/v{_SCHEMA}/schema/PACK.xsd",
        },
    )
    for tag, text in (
        ("vendor", _VENDOR),
        ("name", name),
        ("description", f"The network {firmware.name} as integers, in C99 without heap"),
        ("url", "https://pypi.org/project/edgevit/"),
        ("license", "LICENSE"),
    ):
        ET.SubElement(package, tag).text = text
    releases = ET.SubElement(package, "releases")
    release = ET.SubElement(releases, "release", version=firmware.version, date="2026-01-01")
    release.text = f"Model {firmware.hash[:16]}"
    cores = [core for flag in firmware.flags() for core in _CORES.get(flag, ())]
    if cores:
        condition = ET.SubElement(ET.SubElement(package, "conditions"), "condition", id="Core")
        ET.SubElement(condition, "description").text = "The core that the kernels are for"
        for core in cores:
            ET.SubElement(condition, "accept", Dcore=core)
    components = ET.SubElement(package, "components")
    where = {"condition": "Core"} if cores else {}
    component = ET.SubElement(
        components,
        "component",
        {
            "Cclass": "Machine Learning",
            "Cgroup": "Network",
            "Csub": firmware.slug,
            "Cversion": firmware.version,
            **where,
        },
    )
    ET.SubElement(component, "description").text = f"The network {firmware.name}"
    files = ET.SubElement(component, "files")
    ET.SubElement(files, "file", category="include", name="./")
    ET.SubElement(files, "file", category="include", name="include/")
    for header in firmware.headers:
        ET.SubElement(files, "file", category="header", name=header)
    for source in firmware.sources:
        category = "sourceAsm" if source.endswith(".S") else "sourceC"
        ET.SubElement(files, "file", category=category, name=source)
    return package
