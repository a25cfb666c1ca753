"""What the author's own fuse makes of a timm net: convolutions and MACs, as JSON, and nothing where there is none.

python benchmarks/author_fuse.py fastvit_t8
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from edgevit.frontend.capture import capture
from edgevit.frontend.resolve import resolve
from edgevit.graph.cost import stats

HOOKS = ("fuse", "reparameterize", "switch_to_deploy")


def author_stats(net: str) -> dict[str, int] | None:
    source = resolve(f"timm:{net}", weights="random")
    if not any(hasattr(m, hook) for m in source.module.modules() for hook in HOOKS):
        return None
    from timm.utils.model import reparameterize_model

    fused = replace(source, module=reparameterize_model(source.module).eval())
    return stats(capture(fused)).as_dict()


if __name__ == "__main__":
    print(json.dumps(author_stats(sys.argv[1])))
