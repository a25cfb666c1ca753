"""`torchvision:NAME` and timm's feature pyramids: what each kind of net takes and gives."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from edgevit.errors import ModelError
from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve

pytestmark = pytest.mark.skipif(find_spec("timm") is None, reason="pip install 'edgevit[zoo]'")


def test_a_classifier_has_its_labels_and_preprocessing() -> None:
    source = resolve("torchvision:mobilenet_v3_small", input_size=32)
    assert source.preprocess is not None
    assert source.preprocess.crop_pct == 224 / 256
    assert len(source.labels) == 1000
    assert source.native_size == (224, 224)


def test_a_segmenter_names_its_outputs() -> None:
    source = resolve("torchvision:lraspp_mobilenet_v3_large", input_size=64)
    assert source.native_size == (520, 520)
    assert capture(source).output_names == ("out",)


def test_a_detector_ends_at_its_head() -> None:
    source = resolve("torchvision:ssdlite320_mobilenet_v3_large", input_size=64)
    assert source.notes
    names = capture(source).output_names
    assert {"head_cls_logits", "head_bbox_regression"} <= set(names)


def test_feature_pyramids() -> None:
    source = resolve("timm:resnet18?features_only", input_size=64)
    assert source.output_names == ("act1", "layer1", "layer2", "layer3", "layer4")
    assert source.name == "resnet18-features"
    assert not source.labels


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("torchvision:resnett", "resnet18"),
        ("torchvision:quantized_resnet18", "--precision int8"),
        ("timm:resnet18?depth", "features_only"),
    ],
)
def test_refusals_say_what_to_give(spec: str, hint: str) -> None:
    with pytest.raises(ModelError) as caught:
        resolve(spec)
    assert hint in caught.value.hint
    assert caught.value.where
    assert caught.value.why
