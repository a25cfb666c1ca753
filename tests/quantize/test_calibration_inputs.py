"""What ranges are chosen on: drawn evenly, checked as a whole, and recorded with hashes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import edgevit
from edgevit.errors import CalibrationError
from edgevit.quantize.batches import CalibrationBatches, from_batches
from edgevit.quantize.calibration import Calibration, ImageInput
from edgevit.quantize.calibration_checks import calibration_dict, checked
from edgevit.quantize.image_folder import from_folder
from edgevit.quantize.options import CalibrationOptions
from edgevit.quantize.picture_file import read_picture
from edgevit.quantize.picture_list import PictureFile, draw_evenly, list_pictures
from edgevit.quantize.run import halves
from edgevit.quantize.stage import load_calibration
from tests.quantize.imported import rewritten

IMAGE = torch.rand(1, 3, 8, 8)
NET = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


def listed(**counts: int) -> list[PictureFile]:
    return [PictureFile(Path(f"{k}/{i}"), k) for k, n in counts.items() for i in range(n)]


def labels(pictures: tuple[PictureFile, ...]) -> Counter[str]:
    return Counter(one.label for one in pictures)


def test_pictures_are_drawn_evenly_over_the_classes() -> None:
    drawn = draw_evenly(listed(a=100, b=3, c=100, d=100), 30)
    assert labels(drawn) == {"a": 9, "b": 3, "c": 9, "d": 9}
    for half in (drawn[::2], drawn[1::2]):  # the one that chooses, the one that judges
        assert set(labels(half)) == set("abcd")
        assert set(labels(half[:4])) == set("abcd")  # a few runs of a half are of all classes


def test_of_many_classes_some_are_drawn_and_all_pictures_where_they_are_few() -> None:
    many = listed(**{f"c{n:03}": 5 for n in range(200)})
    assert len(labels(draw_evenly(many, 50))) == 50
    assert set(draw_evenly(many, 2000)) == set(many)


@pytest.mark.parametrize(("asked", "generated"), [(4, 4), (64, 32)])
def test_as_many_inputs_are_generated_as_asked_for_and_no_more_than_32(
    asked: int, generated: int
) -> None:
    options = CalibrationOptions(calibrate_count=asked)
    inputs = load_calibration(rewritten(NET, IMAGE), options, ImageInput()).inputs
    assert len(inputs) == generated


def write(path: Path, level: int, size: int = 8, plain: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (1, 1, 3) if plain else (size, size, 3)
    pixels = np.random.default_rng(level).integers(0, 256, shape)
    Image.fromarray(np.broadcast_to(pixels, (size, size, 3)).astype(np.uint8)).save(path)


def test_a_table_of_labels_says_which_pictures_there_are(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / f"{number}.png", number)
    rows = "".join(f"{number}.png,{'ab'[number % 2]}\n" for number in range(3))
    (tmp_path / "labels.csv").write_text("file,label\n" + rows)
    assert [(one.path.name, one.label) for one in list_pictures(tmp_path)] == [
        ("0.png", "a"),
        ("2.png", "a"),
        ("1.png", "b"),
    ]


def test_a_batch_takes_as_many_pictures(tmp_path: Path) -> None:
    for number in range(7):
        write(tmp_path / f"{number}.png", number)
    program = rewritten(nn.Conv2d(3, 4, 3), torch.rand(2, 3, 8, 8))
    how = edgevit.frontend.source.Preprocess((0.5,) * 3, (0.5,) * 3, (8, 8))
    runs = from_folder(tmp_path, program, ImageInput(how))
    assert [tuple(run[0].shape) for run in runs.inputs] == [(2, 3, 8, 8)] * 3


def runs(*tensors: torch.Tensor) -> Calibration:
    return Calibration(tuple((x,) for x in tensors), "here")


def drawn(count: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(1, 3, 8, 8, generator=generator) for _ in range(count)]


COLOUR = torch.rand(1, 3, 1, 1).expand(1, 3, 8, 8)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (runs(*drawn(1)), "too few"),
        (runs(*drawn(1) * 9), "too few"),
        (runs(*[COLOUR * n for n in range(9)]), "one constant"),
    ],
)
def test_what_gives_no_ranges_is_refused(inputs: Calibration, message: str) -> None:
    with pytest.raises(CalibrationError, match=message) as raised:
        checked(inputs)
    assert all((raised.value.where, raised.value.why, raised.value.hint))


@pytest.mark.parametrize(
    ("inputs", "count", "note"),
    [
        (runs(*drawn(7)), 7, "are few"),
        (runs(*drawn(9), *drawn(2)), 9, "are left out, 2: run 9, run 10"),
        (runs(*drawn(9), COLOUR), 10, "of one colour, 1: run 9"),
    ],
)
def test_what_gives_poor_ranges_is_noted(inputs: Calibration, count: int, note: str) -> None:
    result = checked(inputs)
    assert len(result.inputs) == count
    (text,) = result.notes
    assert note in text


def test_good_inputs_have_no_note_and_a_hash_of_their_content() -> None:
    result = checked(runs(*drawn(8)))
    assert result.notes == ()
    record = calibration_dict(result)
    assert record["count"] == len(record["inputs"]) == 8  # type: ignore[arg-type]
    assert record == calibration_dict(checked(runs(*drawn(8))))
    assert record["sha256"] != calibration_dict(checked(runs(*drawn(8, seed=1))))["sha256"]


def loader() -> DataLoader[tuple[torch.Tensor, ...]]:
    images = torch.stack([x[0] for x in drawn(12)])
    return DataLoader(TensorDataset(images, torch.arange(12)), batch_size=5)


@pytest.mark.parametrize(
    ("batches", "count"),
    [
        (loader, 12),
        (lambda: iter(drawn(9)), 9),
        (lambda: (x[0].numpy() for x in drawn(9)), 9),
        (lambda: [{"x0": x, "label": 1} for x in drawn(9)], 9),
    ],
)
def test_inputs_from_python(batches: Callable[[], Iterator[object]], count: int) -> None:
    program = rewritten(nn.Conv2d(3, 4, 3), IMAGE)
    given = from_batches(batches(), program, 64)
    assert torch.equal(torch.cat([run[0] for run in given.inputs]), torch.cat(drawn(count)))
    assert len(from_batches(batches(), program, 3).inputs) == 3


@pytest.mark.parametrize(
    "item", ["text", None, {"z": IMAGE}, torch.rand(1, 3, 9, 8), (), torch.tensor(1.0)]
)
def test_items_that_do_not_fit_are_refused(item: object) -> None:
    with pytest.raises(CalibrationError, match="item 0"):
        from_batches([item], rewritten(nn.Conv2d(3, 4, 3), IMAGE), 8)


def exported(path: Path, calibration: object) -> edgevit.ExportResult:
    return edgevit.export(
        NET, IMAGE, target="linux-x86", format="onnx", precision="int8",
        calibration=calibration, output=path,
    )  # fmt: skip


def test_an_export_takes_a_loader_and_records_what_it_was(tmp_path: Path) -> None:
    result = exported(tmp_path / "a", loader())
    record = result.manifest["quantization"]["calibration"]
    assert (record["source"], record["count"]) == ("calibration=", 12)
    assert "batches = ..." in result.manifest["command"]
    assert "calibrated on 12 inputs of calibration=" in str(result)
    assert edgevit.verify(result).passed


def test_halves_that_disagree_are_told(tmp_path: Path) -> None:
    inputs = drawn(16)
    for x in inputs[1::2]:
        x *= 40  # beyond every range that the others chose
    assert halves(tuple((x,) for x in inputs))[1][0][0].max() > 30
    result = exported(tmp_path / "a", inputs)
    (warning,) = result.manifest["quantization"]["warnings"]
    assert "more or other pictures" in warning
    assert warning in result.notes
    assert f"warning    {warning}" in str(result)


@pytest.mark.parametrize(
    ("precision", "calibration", "message"),
    [
        ("int8", [torch.full((1, 3, 8, 8), torch.nan)] * 9, "has NaN"),
        ("int8", [], "nothing to calibrate on"),
        ("int3", loader(), "int3"),
    ],
)
def test_an_export_refuses(tmp_path, precision, calibration, message) -> None:
    with pytest.raises(edgevit.EdgevitError, match=message) as raised:
        edgevit.export(
            NET, IMAGE, target="linux-x86", format="onnx", precision=precision,
            calibration=calibration, output=tmp_path / "a",
        )  # fmt: skip
    error = raised.value
    assert all((error.where, error.why, error.hint))
    assert error.exit_code != 70
    if precision == "int3":
        assert "int8" in str(error)


class Logarithm(nn.Module):
    """A net that is finite on its example, and not on a black picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.log())


@pytest.mark.parametrize(("target", "format"), [("linux-x86", "onnx"), ("qemu-m7", "mcu")])
def test_a_range_with_infinities_is_refused_by_line(
    tmp_path: Path, target: str, format: str
) -> None:
    with pytest.raises(CalibrationError, match="`log` gives infinities or NaN") as raised:
        edgevit.export(
            Logarithm().eval(), IMAGE + 0.1, target=target, format=format, precision="int8",
            calibration=[x + 0.1 for x in drawn(8)] + [torch.zeros(1, 3, 8, 8)], output=tmp_path / "a",
        )  # fmt: skip
    assert "test_calibration_inputs.py:" in raised.value.where
    assert raised.value.why and raised.value.hint


def test_trained_weights_are_not_calibrated_on_noise_unless_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="needs pictures"):
        exported(tmp_path / "a", CalibrationOptions())
    assert exported(tmp_path / "a", CalibrationOptions(calibrate="generated")).passed


def test_a_callers_inputs_are_options() -> None:
    assert isinstance(CalibrationBatches(batches=[IMAGE]), CalibrationOptions)


def test_a_picture_lies_whole_within_a_border(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (255, 0, 0)).save(tmp_path / "wide.png")
    how = edgevit.frontend.source.Preprocess((0.0,) * 3, (1.0,) * 3, (8, 8), border=51)
    (image,) = read_picture(tmp_path / "wide.png", (1, 3, 8, 8), ImageInput(how), how)
    assert torch.equal(image[0, :, 3], torch.tensor([0.2, 0.2, 1, 1, 1, 1, 0.2, 0.2]))
    assert torch.equal(image[1, 2:6], torch.zeros(4, 8))


class PictureAndWords(nn.Module):
    """One picture beside two texts of four words, as an image-text model scores them."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 3)

    def forward(self, image: torch.Tensor, ids: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        texts = (self.words(ids) * seen[..., None]).mean(1)
        return image.mean((2, 3)) @ texts.T


WORDS = (IMAGE, torch.tensor([[1, 8, 3, 0], [5, 5, 2, 7]]), torch.ones(2, 4, dtype=torch.bool))


def test_words_and_masks_are_generated_as_the_example_has_them() -> None:
    program = rewritten(PictureAndWords(), *WORDS)
    for _, ids, seen in load_calibration(program, CalibrationOptions(), ImageInput()).inputs:
        assert ids.dtype == torch.int64 and seen.equal(WORDS[2])
        assert ids.sort().values.equal(WORDS[1].sort().values)


def words_in(path: Path, ids: np.ndarray) -> CalibrationOptions:
    images, seen = np.zeros((len(ids), 3, 8, 8)), np.ones((len(ids), 2, 4), bool)
    np.savez(path, x0=images, x1=ids, x2=seen)
    return CalibrationOptions(calibrate=str(path))


def test_words_are_read_from_a_file(tmp_path: Path) -> None:
    program = rewritten(PictureAndWords(), *WORDS)
    written = np.arange(48).reshape(6, 2, 4) % 9
    options = words_in(tmp_path / "words.npz", written)
    read = load_calibration(program, options, ImageInput()).inputs
    assert [ids.tolist() for _, ids, _ in read] == written.tolist()
    assert read[0][1].dtype == torch.int64 and read[0][2].dtype == torch.bool


@pytest.mark.parametrize(("word", "why"), [(9, "does not run"), (2.5, "int64, not float")])
def test_words_that_the_model_does_not_take_are_refused(
    tmp_path: Path, word: float, why: str
) -> None:
    program = rewritten(PictureAndWords(), *WORDS)
    options = words_in(tmp_path / "words.npz", np.full((4, 2, 4), word))
    with pytest.raises(CalibrationError, match=why):
        load_calibration(program, options, ImageInput())


def test_a_picture_beside_several_texts_is_one_run_of_a_loader() -> None:
    program = rewritten(PictureAndWords(), *WORDS)
    assert len(from_batches([WORDS] * 3, program, 64).inputs) == 3
