"""The nets that every release is tried on, and what one of them is exported with."""

from __future__ import annotations

NETS = (
    "shvit_s1", "shvit_s4", "fastvit_t8", "fastvit_mci0", "repvit_m1", "repvgg_a0", "mobileone_s0",
    "efficientformer_l1", "efficientformerv2_s0", "efficientvit_m0", "efficientvit_b0", "tiny_vit_5m_224",
    "mobilevit_xxs", "mobilevitv2_050", "levit_128s", "edgenext_xx_small", "swiftformer_xs",
    "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "crossvit_tiny_240", "ghostnetv3_050",
    "convnext_atto", "mobilenetv4_conv_small", "nextvit_small", "starnet_s1", "pvt_v2_b0",
)  # fmt: skip
