"""Small configs of transformers' architectures: what a user's config.json says, with few layers."""

from __future__ import annotations

from typing import Any

_TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
_VISION: dict[str, Any] = {**_TINY, "image_size": 32, "patch_size": 8}
_TEXT: dict[str, Any] = {
    **_TINY,
    "vocab_size": 100,
    "max_position_embeddings": 16,
    "bos_token_id": 98,
    "eos_token_id": 99,
    "pad_token_id": 1,
}
_RESNET: dict[str, Any] = {
    "embedding_size": 16,
    "hidden_sizes": [16, 16, 32, 64],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
    "out_features": ["stage2", "stage3", "stage4"],
}
_RT_DETR: dict[str, Any] = {
    "encoder_layers": 1,
    "decoder_layers": 2,
    "num_queries": 30,
    "d_model": 32,
    "encoder_hidden_dim": 32,
    "decoder_in_channels": [32, 32, 32],
    "encoder_in_channels": [16, 32, 64],
    "decoder_attention_heads": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
}
_DETR: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "num_queries": 10,
    "backbone_config": {"model_type": "resnet", **_RESNET, "out_features": ["stage4"]},
}
_PAIR: dict[str, Any] = {"text_config": _TEXT, "vision_config": _VISION}


def _of(model_type: str, model_class: str, **entries: Any) -> dict[str, Any]:
    return {"model_type": model_type, "architectures": [model_class], **entries}


DETECTORS = {
    "detr": _of("detr", "DetrForObjectDetection", **_DETR),
    "conditional-detr": _of("conditional_detr", "ConditionalDetrForObjectDetection", **_DETR),
    "rt-detr": _of(
        "rt_detr",
        "RTDetrForObjectDetection",
        **_RT_DETR,
        backbone_config={"model_type": "rt_detr_resnet", **_RESNET},
    ),
    "rt-detr-v2": _of(
        "rt_detr_v2",
        "RTDetrV2ForObjectDetection",
        **_RT_DETR,
        backbone_config={"model_type": "rt_detr_resnet", **_RESNET},
    ),
    "rf-detr": _of(
        "rf_detr",
        "RfDetrForObjectDetection",
        backbone_config={
            "model_type": "rf_detr_dinov2",
            "hidden_size": 32,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
            "num_windows": 2,
            "out_features": ["stage2", "stage4"],
        },
        d_model=32,
        decoder_layers=2,
        decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2,
        decoder_ffn_dim=32,
        num_queries=10,
    ),
    "yolos": _of(
        "yolos",
        "YolosForObjectDetection",
        **{**_TINY, "image_size": [64, 64], "num_detection_tokens": 10},
    ),
}
DENSE = {
    "segformer": _of(
        "segformer",
        "SegformerForSemanticSegmentation",
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 16, 32],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        image_size=64,
    ),
    "dpt": _of(
        "dpt",
        "DPTForDepthEstimation",
        **{**_TINY, "num_hidden_layers": 4},
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 16, 32, 32],
        fusion_hidden_size=16,
    ),
    "depth-anything": _of(
        "depth_anything",
        "DepthAnythingForDepthEstimation",
        backbone_config={
            "model_type": "dinov2",
            **_TINY,
            "num_hidden_layers": 4,
            "image_size": 70,
            "patch_size": 14,
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
            "reshape_hidden_states": False,
        },
        reassemble_hidden_size=32,
        patch_size=14,
        neck_hidden_sizes=[8, 16, 32, 32],
        fusion_hidden_size=16,
    ),
}
TOWERS = {
    "clip": _of("clip", "CLIPModel", **_PAIR, projection_dim=16),
    "siglip": _of("siglip", "SiglipModel", **_PAIR),
    "clip-text": _of("clip_text_model", "CLIPTextModelWithProjection", **_TEXT, projection_dim=16),
    "clip-vision": _of(
        "clip_vision_model", "CLIPVisionModelWithProjection", **_VISION, projection_dim=16
    ),
    "owlvit": _of("owlvit", "OwlViTForObjectDetection", **_PAIR, projection_dim=32),
}
ENCODERS = {
    "edgetam": _of(
        "edgetam_vision_model",
        "EdgeTamVisionModel",
        backbone_config={
            "model_type": "timm_wrapper",
            "architecture": "repvit_m1",
            "num_classes": 1000,
            "model_args": {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
        },
        backbone_channel_list=[384, 192, 96, 48],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
        fpn_hidden_size=32,
    ),
    "pp-ocr-v6-tiny": _of(
        "pp_ocrv6_tiny_rec",
        "PPOCRV6TinyRecForTextRecognition",
        hidden_size=32,
        head_out_channels=100,
    ),
    "sam": _of(
        "sam_vision_model",
        "SamVisionModel",
        **{**_TINY, "image_size": 64, "patch_size": 8},
        output_channels=16,
        window_size=3,
        global_attn_indexes=[1],
        mlp_dim=64,
    ),
    "dinov2": _of("dinov2", "Dinov2Model", **{**_TINY, "image_size": 56, "patch_size": 14}),
    "vit-mae": _of("vit_mae", "ViTMAEModel", **_VISION, mask_ratio=0.5),
    "trocr": _of(
        "vision-encoder-decoder",
        "VisionEncoderDecoderModel",
        encoder={"model_type": "deit", **_VISION},
        decoder={
            "model_type": "trocr",
            "d_model": 32,
            "decoder_layers": 2,
            "decoder_attention_heads": 2,
            "decoder_ffn_dim": 64,
            "vocab_size": 100,
            "max_position_embeddings": 16,
            "cross_attention_hidden_size": 32,
        },
    ),
}
# Of those that state none.
INPUT_SIZE = {name: 64 for name in DETECTORS if name not in ("yolos", "rf-detr")}
INPUT_SIZE |= {"rf-detr": 56, "edgetam": 128}
SMALL_CONFIGS: dict[str, dict[str, Any]] = {**DETECTORS, **DENSE, **TOWERS, **ENCODERS}
