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
# Four stages of one block each, each half as many pixels a side as the one before.
_WIDTHS = [8, 16, 16, 32]
_HEADS = [1, 2, 2, 4]
_SWIN: dict[str, Any] = {
    "image_size": 64,
    "embed_dim": 8,
    "depths": [1, 2, 1, 1],
    "num_heads": _HEADS,
    "window_size": 4,
}


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
    "table-transformer": _of("table-transformer", "TableTransformerForObjectDetection", **_DETR),
    "deformable-detr": _of(
        "deformable_detr",
        "DeformableDetrForObjectDetection",
        **_DETR,
        num_feature_levels=2,
    ),
    "d-fine": _of(
        "d_fine",
        "DFineForObjectDetection",
        **{**_RT_DETR, "hidden_expansion": 0.5, "lqe_hidden_dim": 16, "max_num_bins": 8},
        backbone_config={
            "model_type": "hgnet_v2",
            "embedding_size": 16,
            "stem_channels": [3, 8, 16],
            "hidden_sizes": [16, 16, 32, 64],
            "stage_in_channels": [16, 16, 16, 32],
            "stage_mid_channels": [8, 8, 8, 16],
            "stage_out_channels": [16, 16, 32, 64],
            "stage_num_blocks": [1, 1, 1, 1],
            "stage_numb_of_layers": [2, 2, 2, 2],
            "out_features": ["stage2", "stage3", "stage4"],
        },
    ),
    "superpoint": _of(
        "superpoint",
        "SuperPointForKeypointDetection",
        encoder_hidden_sizes=_WIDTHS,
        decoder_hidden_size=32,
        descriptor_decoder_dim=32,
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
    "glpn": _of(
        "glpn",
        "GLPNForDepthEstimation",
        hidden_sizes=_WIDTHS,
        num_attention_heads=_HEADS,
        depths=[1, 1, 1, 1],
        decoder_hidden_size=16,
    ),
    "upernet": _of(
        "upernet",
        "UperNetForSemanticSegmentation",
        backbone_config={
            "model_type": "convnext",
            "hidden_sizes": _WIDTHS,
            "depths": [1, 1, 1, 1],
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        },
        hidden_size=16,
        use_auxiliary_head=False,
    ),
    "swin2sr": _of(
        "swin2sr",
        "Swin2SRForImageSuperResolution",
        image_size=32,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 2],
    ),
    "maskformer": _of(
        "maskformer",
        "MaskFormerForInstanceSegmentation",
        backbone_config={"model_type": "swin", **_SWIN},
        decoder_config={**_DETR, "model_type": "detr", "decoder_layers": 1},
        fpn_feature_size=32,
        mask_feature_size=32,
    ),
    "mask2former": _of(
        "mask2former",
        "Mask2FormerForUniversalSegmentation",
        backbone_config={
            "model_type": "swin",
            **_SWIN,
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        },
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=64,
        dim_feedforward=64,
        encoder_layers=1,
        decoder_layers=3,
        num_attention_heads=2,
        num_queries=10,
    ),
    "zoedepth": _of(
        "zoedepth",
        "ZoeDepthForDepthEstimation",
        backbone_config={
            "model_type": "beit",
            **_VISION,
            "num_hidden_layers": 4,
            "use_relative_position_bias": True,
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
            "reshape_hidden_states": False,
        },
        neck_hidden_sizes=_WIDTHS,
        fusion_hidden_size=16,
        bottleneck_features=16,
        bin_embedding_dim=16,
        num_attractors=[4, 2, 2, 1],
        bin_configurations=[{"n_bins": 16, "min_depth": 0.001, "max_depth": 10.0}],
    ),
    "vitpose": _of(
        "vitpose",
        "VitPoseForPoseEstimation",
        backbone_config={
            "model_type": "vitpose_backbone",
            **_TINY,
            "image_size": [64, 48],
            "patch_size": [16, 16],
            "mlp_ratio": 2,
        },
    ),
    "eomt": _of(
        "eomt",
        "EomtForUniversalSegmentation",
        **_VISION,
        num_blocks=1,
        num_queries=10,
        num_upscale_blocks=1,
    ),
    "pp-ocr-v5-det": _of("pp_ocrv5_mobile_det", "PPOCRV5MobileDetForObjectDetection"),
}
TOWERS = {
    "clip": _of("clip", "CLIPModel", **_PAIR, projection_dim=16),
    "siglip": _of("siglip", "SiglipModel", **_PAIR),
    "clip-text": _of("clip_text_model", "CLIPTextModelWithProjection", **_TEXT, projection_dim=16),
    "clip-vision": _of(
        "clip_vision_model", "CLIPVisionModelWithProjection", **_VISION, projection_dim=16
    ),
    "owlvit": _of("owlvit", "OwlViTForObjectDetection", **_PAIR, projection_dim=32),
    "altclip": _of(
        "altclip",
        "AltCLIPModel",
        text_config={**_TEXT, "project_dim": 16, "max_position_embeddings": 96},
        vision_config=_VISION,
        projection_dim=16,
    ),
    "groupvit": _of(
        "groupvit",
        "GroupViTModel",
        text_config=_TEXT,
        vision_config={
            **_VISION,
            "depths": [1, 1, 1],
            "num_group_tokens": [8, 4, 0],
            "num_output_groups": [8, 4, 4],
        },
        projection_dim=16,
        projection_intermediate_dim=32,
    ),
    "blip-vision": _of("blip_vision_model", "BlipVisionModel", **_VISION, initializer_range=0.02),
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
CLASSIFIERS = {
    "vit": _of("vit", "ViTForImageClassification", **_VISION),
    "beit": _of("beit", "BeitForImageClassification", **_VISION, use_relative_position_bias=True),
    "data2vec-vision": _of(
        "data2vec-vision",
        "Data2VecVisionForImageClassification",
        **_VISION,
        use_shared_relative_position_bias=True,
    ),
    "dinov3": _of("dinov3_vit", "DINOv3ViTModel", **_VISION, num_register_tokens=2),
    "ijepa": _of("ijepa", "IJepaForImageClassification", **_VISION),
    "swin": _of("swin", "SwinForImageClassification", **{**_SWIN, "window_size": 2}),
    "swinv2": _of("swinv2", "Swinv2ForImageClassification", **_SWIN),
    "focalnet": _of(
        "focalnet",
        "FocalNetForImageClassification",
        image_size=64,
        embed_dim=8,
        hidden_sizes=[16, 32, 64, 64],
        depths=[1, 1, 1, 1],
    ),
    "cvt": _of(
        "cvt",
        "CvtForImageClassification",
        embed_dim=[16, 24, 48],
        depth=[1, 2, 3],
    ),
    "levit": _of(
        "levit",
        "LevitForImageClassificationWithTeacher",
        image_size=64,
        hidden_sizes=[16, 32, 48],
        num_attention_heads=[1, 2, 3],
        depths=[1, 1, 1],
    ),
    "pvt": _of(
        "pvt",
        "PvtForImageClassification",
        image_size=64,
        hidden_sizes=_WIDTHS,
        num_attention_heads=_HEADS,
        depths=[1, 1, 1, 1],
    ),
    "pvt-v2": _of(
        "pvt_v2",
        "PvtV2ForImageClassification",
        image_size=64,
        hidden_sizes=_WIDTHS,
        num_attention_heads=_HEADS,
        depths=[1, 1, 1, 1],
        linear_attention=True,
    ),
    "hiera": _of(
        "hiera",
        "HieraForImageClassification",
        image_size=[64, 64],
        embed_dim=8,
        depths=[1, 1, 2, 1],
        num_heads=_HEADS,
        masked_unit_size=[8, 8],
        num_query_pool=2,
    ),
    "mobilenet-v1": _of(
        "mobilenet_v1", "MobileNetV1ForImageClassification", image_size=64, depth_multiplier=0.25
    ),
    "mobilevit": _of(
        "mobilevit",
        "MobileViTForSemanticSegmentation",
        image_size=64,
        hidden_sizes=[16, 24, 32],
        neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 64],
        aspp_out_channels=16,
    ),
    "regnet": _of(
        "regnet",
        "RegNetForImageClassification",
        embedding_size=16,
        hidden_sizes=[16, 16, 32, 32],
        depths=[1, 1, 1, 1],
        groups_width=8,
    ),
    "bit": _of(
        "bit",
        "BitForImageClassification",
        embedding_size=32,
        hidden_sizes=[32, 32, 64, 64],
        num_groups=4,
        depths=[1, 1, 1, 1],
    ),
    "textnet": _of(
        "textnet",
        "TextNetForImageClassification",
        image_size=[64, 64],
        stem_out_channels=8,
        hidden_sizes=[8, 8, 16, 16, 32],
    ),
}
# Of those that state none.
_AT_64 = [
    "detr",
    "conditional-detr",
    "table-transformer",
    "rt-detr",
    "rt-detr-v2",
    "d-fine",
    "superpoint",
    "glpn",
    "upernet",
    "maskformer",
    "mask2former",
    "pp-ocr-v5-det",
    "regnet",
    "bit",
    "cvt",
]
INPUT_SIZE = {**dict.fromkeys(_AT_64, 64), "rf-detr": 56, "edgetam": 128, "deformable-detr": 128}
SMALL_CONFIGS: dict[str, dict[str, Any]] = {
    **DETECTORS,
    **DENSE,
    **TOWERS,
    **ENCODERS,
    **CLASSIFIERS,
}
