"""Model description: the inputs and outputs as an app sees them."""

from __future__ import annotations

from torch import Tensor

from edgevit.backends.coreml.check.messages import Message
from edgevit.backends.coreml.check.program import (
    Description,
    Feature,
    Function,
    ImageInfo,
    ValueType,
)

ARRAY_TYPES = {
    "FLOAT32": "fp32",
    "FLOAT16": "fp16",
    "INT32": "int32",
    "INT8": "int8",
    "DOUBLE": "fp64",
}


def read_description(proto: Message, main: Function) -> Description:
    """Read the description of the default function.

    In a multi-function package it is the valid one.
    """
    source = next((f for f in proto.functions if f.name == main.name), proto)
    meta = proto.metadata
    metadata = dict(meta.userDefined)
    for key in ("shortDescription", "versionString", "author", "license"):
        if getattr(meta, key):
            metadata[key] = getattr(meta, key)
    return Description(
        inputs=tuple(read_feature(f) for f in source.input),
        outputs=tuple(read_feature(f) for f in source.output),
        class_labels=class_labels(main),
        predicted_label=source.predictedFeatureName,
        predicted_probabilities=source.predictedProbabilitiesName,
        metadata=metadata,
    )


def read_feature(proto: Message) -> Feature:
    kind = (proto.type.WhichOneof("Type") or "unknown").removesuffix("Type")
    if kind == "image":
        image = read_image(proto.type.imageType)
        planes = 1 if image.layout.startswith("GRAYSCALE") else 3
        return Feature(
            proto.name, "image", ValueType("uint8", (1, planes, image.height, image.width)), image
        )
    if kind == "multiArray":
        return Feature(proto.name, "array", read_array(proto.type.multiArrayType))
    return Feature(proto.name, kind, ValueType(kind))


def read_image(proto: Message) -> ImageInfo:
    layout = type(proto).ColorSpace.Name(proto.colorSpace)
    return ImageInfo(proto.width, proto.height, layout)


def read_array(proto: Message) -> ValueType:
    name = str(type(proto).ArrayDataType.Name(proto.dataType))
    return ValueType(ARRAY_TYPES.get(name, name.lower()), tuple(proto.shape))


def class_labels(main: Function) -> tuple[str | int, ...]:
    """Return the labels of a classifier from its `classify` operation.

    An ML program does not keep them in the description.
    """
    for op in main.operations:
        for binding in op.arguments.get("classes", ()) if op.kind == "classify" else ():
            value = (
                binding
                if isinstance(binding, tuple)
                else main.constants.get(getattr(binding, "name", ""))
            )
            if isinstance(value, tuple):
                return tuple(int(v) if isinstance(v, Tensor) else v for v in value)
    return ()
