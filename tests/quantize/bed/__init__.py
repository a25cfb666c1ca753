"""Trained nets, pictures with labels, and outliers that runtimes' own recipes do not survive.

    from tests.quantize import bed
    net = bed.net("vit", injected=True)
    images, labels = bed.pictures("test")
    bed.write_folder(tmp_path, "train", 96)         what --calibrate reads

`benchmarks/train_bed.py` makes the weights again.
"""

from tests.quantize.bed.digits import accuracy, pictures, sha256, write_folder
from tests.quantize.bed.injections import injected
from tests.quantize.bed.nets import NETS, net

__all__ = ["NETS", "accuracy", "injected", "net", "pictures", "sha256", "write_folder"]
