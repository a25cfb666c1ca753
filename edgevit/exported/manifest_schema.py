"""Schema of `edgevit.json`, for all keys that are read. docs/edgevit-json.md documents the keys.

Names that become paths or arguments of other programs must match `PATH` and `NAME`. Texts that are
only displayed are not restricted.
"""

from __future__ import annotations

from edgevit.support.backend_info import BACKENDS, precisions
from edgevit.support.shape import (
    Anything,
    Either,
    Flag,
    Listing,
    Null,
    Number,
    Shape,
    Table,
    Text,
    WholeNumber,
)

SCHEMA = 2

# Relative POSIX path inside the folder. No part begins with `-`: programs would parse an option.
_PART = r"(?!-)(?!\.{1,2}(?:/|\Z))[^/\\\x00-\x1f\x7f-\x9f]{1,255}"
PATH = Text(pattern=rf"{_PART}(?:/{_PART})*", rule="a path inside the folder whose names begin with no `-`")  # fmt: skip
NAME = Text(pattern=_PART, rule="the name of a file in the folder, which begins with no `-`")
_DIGEST = Text(pattern="[0-9a-f]{64}", rule="a SHA-256 digest")
_WORD = Text(pattern=r"(?!-)[\w.+-]{1,100}", rule="a name of letters, digits and .+-_")

_PROSE = Text(most=1_000_000, plain=False)
_LINE = Text(most=10_000, plain=False)
_COUNT = WholeNumber(0, 1 << 62)
_FIGURE = Number(-1e300, 1e300)
_EXTENT = WholeNumber(0, 1 << 31)


def _maybe(shape: Shape) -> Shape:
    return Either((Null(), shape))


def _table(optional: tuple[str, ...] = (), /, **keys: Shape) -> Table:
    """Return the schema of a table that may have other keys, which are only carried along."""
    return Table(keys, optional, others=Anything())


def _entries(of: Shape) -> Table:
    return Table(others=of)


_PLACES = Listing(_LINE)
_REFUSED = Listing(_table(where=_LINE, why=_PROSE))
_GRAPH = Table(
    dict.fromkeys(("ops", "convs", "macs", "params", "transposes", "bytes_moved"), _COUNT)
)
_COST = _table(ops=_COUNT, convs=_COUNT, macs=_COUNT, bytes_moved=_COUNT)
_MOVED = {"rel_l2": _FIGURE, "cosine": _FIGURE, "top1_agree": _FIGURE}

_INPUT = _table(name=_LINE, shape=Listing(_EXTENT, most=16), dtype=_WORD)
_PORT = _table(
    ("scale", "zero"),
    name=_LINE,
    shape=Listing(_EXTENT, most=16),
    dtype=_WORD,
    scale=_FIGURE,
    zero=WholeNumber(-(1 << 31), 1 << 31),
)
_NUMBERS = Listing(_FIGURE, least=1, most=16)
_PREPROCESS = _table(
    ("channel_order", "range", "border"),
    mean=_NUMBERS,
    std=Listing(Number(1e-12, 1e12), least=1, most=16),
    size=Listing(WholeNumber(1, 1 << 20), least=2, most=3),
    crop_pct=Number(1e-3, 1e3),
    interpolation=_LINE,
    channel_order=_WORD,
    border=WholeNumber(0, 255),
    range=Either((_LINE, Listing(_FIGURE, most=2))),
)
_MODEL = _table(
    ("class_names",),
    spec=_LINE,
    name=_LINE,
    origin=_LINE,
    weights=_LINE,
    inputs=Listing(_INPUT, least=1, most=1000),
    preprocess=_maybe(_PREPROCESS),
    labels=_COUNT,
    class_names=Listing(_LINE, most=1_000_000),
    graph=_LINE,
    options=_entries(Either((Null(), Flag(), Number(), _LINE, Listing(Either((Number(), _LINE)))))),
)
_REWRITE = _table(
    rule=_LINE,
    fired=_COUNT,
    fired_at=_PLACES,
    max_abs_error=_maybe(_FIGURE),
    rel_l2=_maybe(_FIGURE),
    refused=_REFUSED,
    seconds=_FIGURE,
    before=_COST,
    after=_COST,
)
_LOSSY = _table(
    name=_LINE,
    value=_maybe(Either((_LINE, _FIGURE))),
    places=_PLACES,
    refused=_REFUSED,
    **_MOVED,
    macs=_table(before=_COUNT, after=_COUNT),
)
_PARITY = _table(
    stage=_LINE,
    precision=_LINE,
    max_abs=_maybe(_FIGURE),
    rel_l2=_maybe(_FIGURE),
    cosine=_maybe(Number(-1.000001, 1.000001)),
    top1_agree=_maybe(Number(0, 1)),
    limit=_LINE,
    passed=Flag(),
    unchecked=Listing(_PROSE),
    notes=Listing(_PROSE),
    inputs=Listing(_LINE),
)
_DELEGATION = _table(
    to=_LINE,
    delegates=_COUNT,
    ops_inside=_maybe(_COUNT),
    ops_outside=_COUNT,
    outside=Listing(_table(op=_LINE, where=_LINE, count=_COUNT, bytes=_COUNT)),
)
_UNITS = ("neural_engine", "gpu", "cpu")
_PLACEMENT = _table(
    kind=_LINE,
    units=Table(dict.fromkeys(_UNITS, _COUNT)),
    partitions=_COUNT,
    transposes=_COUNT,
    ops=Listing(
        _table(op=_LINE, name=_LINE, where=_LINE, unit=Text(_UNITS), why=_PROSE, source=_LINE)
    ),
)
_LAYER = _table(
    ("module", "source", "slow", "slow_because"),
    name=_LINE,
    module=_LINE,
    source=_LINE,
    kind=_LINE,
    kernels=Listing(_LINE),
    instructions=_COUNT,
    macs=_COUNT,
    slow=Flag(),
    slow_because=_LINE,
)
_EXECUTION = _table(
    ("predicted_cycles",),
    core=_WORD,
    toolchain=_LINE,
    emulator=_LINE,
    instructions=_COUNT,
    predicted_cycles=_COUNT,
    per_layer=Listing(_LAYER),
    memory=_table(ram_bytes=_COUNT, arena_bytes=_COUNT, stack_bytes=_COUNT, flash_bytes=_COUNT),
    golden_match=Flag(),
)
_FIRMWARE = _table(
    ("execution", "states"),
    core=_WORD,
    arena_bytes=_COUNT,
    constant_bytes=_COUNT,
    macs=_COUNT,
    kernels=Listing(_LINE),
    states=Listing(_table(input=_LINE, output=_LINE, bytes=_COUNT)),
    board=_table(title=_LINE, core=_LINE, weights=_LINE, regions=_entries(_LINE)),
    quantization=_table(
        ("lost_at",),
        options=_entries(Anything()),
        calibration=_LINE,
        worst=Listing(_table()),
        lost_at=_maybe(_table()),
    ),
    execution=_EXECUTION,
)
_TOP = _table(top1=Number(0, 100), top5=_maybe(Number(0, 100)))
_ACCURACY = _table(
    data=_LINE, count=_COUNT, labels=_LINE, float=_TOP, simulation=_maybe(_TOP), file=_TOP
)
_CALL = {"call": _LINE, "kind": _LINE, "module": _LINE, "source": _LINE}
_QUANTIZATION = _table(
    calibration=_table(
        source=_LINE,
        count=_COUNT,
        sha256=_DIGEST,
        inputs=Listing(_table(name=_LINE, sha256=_DIGEST), most=100_000),
    ),
    warnings=Listing(_PROSE),
    snr=_table(fitted=_FIGURE, held_out=_FIGURE),
    methods=Listing(_table(name=_LINE, before=_FIGURE, after=_FIGURE, taken=Flag())),
    float_islands=Listing(_table(**_CALL, why=_PROSE)),
    values=Listing(_table(**_CALL, snr=_FIGURE, before=_FIGURE)),
)
_HEAD = _table(file=PATH, boundary=Listing(_LINE, most=1000), outputs=Listing(_INPUT, most=1000), calls=_COUNT)  # fmt: skip
_PREDICTED = _table(by=_LINE, ram_bytes=_COUNT, cycles=_COUNT)
_TARGET = Text(pattern=r"(?!-)[^\x00-\x1f\x7f-\x9f]{1,4096}", rule="a target's name or file")
_REQUEST = _table(
    target=_TARGET,
    without=Listing(_LINE, most=1000),
    calibration=_entries(Anything()),
    backend=_entries(Anything()),
)
MANIFEST_SHAPE = _table(
    (
        *("quantization", "accuracy", "firmware", "minimum_os", "inputs", "outputs"),
        *("image_input", "host_only", "predicted", "head", "request", "joined"),
    ),
    schema=WholeNumber(SCHEMA, SCHEMA),
    model=_MODEL,
    chosen=_entries(_LINE),
    target=_TARGET,
    format=Text(tuple(BACKENDS)),
    precision=Text(precisions()),
    artifact=NAME,
    files=Listing(_table(path=PATH, bytes=_COUNT, sha256=_DIGEST), least=2, most=100_000),
    versions=_entries(_LINE),
    graph=_table(before=_GRAPH, after=_GRAPH),
    rewrites=Listing(_REWRITE),
    lossy=Listing(_LOSSY),
    from_original=_maybe(_table(max_abs=_FIGURE, **_MOVED)),
    delegation=_maybe(_DELEGATION),
    placement=_maybe(_PLACEMENT),
    parity=Listing(_PARITY, least=1, most=1000),
    passed=Flag(),
    stages=_entries(_table(seconds=_FIGURE, peak_memory_mb=_FIGURE)),
    notes=Listing(_PROSE),
    command=_PROSE,
    ports=_table(inputs=Listing(_PORT, most=1000), outputs=Listing(_PORT, most=1000)),
    ops=_table(("before", "after"), before=_entries(_COUNT), after=_entries(_COUNT)),
    head=_HEAD,
    firmware=_FIRMWARE,
    minimum_os=_LINE,
    inputs=Listing(_LINE, most=1000),
    outputs=Listing(_LINE, most=1000),
    image_input=Flag(),
    quantization=_QUANTIZATION,
    accuracy=_ACCURACY,
    request=_REQUEST,
    host_only=Listing(NAME, most=100),
    predicted=_PREDICTED,
    joined=_table(file=_LINE, function=_LINE),
)
