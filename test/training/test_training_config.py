"""The YAML file of a run, and its errors."""

from pathlib import Path

import pytest

from loftr_ros.training.config import TrainingConfig, read_config
from loftr_ros.training.data.source_config import HomographyConfig, MegaDepthConfig, RecordedConfig, RenderedConfig
from loftr_ros.training.settings import TrainingConfigError


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "run.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_values_and_defaults(tmp_path: Path) -> None:
    text = "sizes: [[256, 192], [320, 160]]\nlearning_rate: 1\nbfloat16: false\nphotos: $DIR/photos\n"
    expected = TrainingConfig(sizes=((256, 192), (320, 160)), learning_rate=1, bfloat16=False, photos="$DIR/photos")
    assert read_config(write(tmp_path, text)) == expected


def test_sources(tmp_path: Path) -> None:
    text = """
    sources:
      - {kind: rendered, weight: 3}
      - {kind: homographies}
      - {kind: sequence, folder: $DATA/tum/desk, max_gap: 5, weight: 0.5}
      - {kind: megadepth, images: train, index: index, min_overlap: 0.2}
    """
    assert read_config(write(tmp_path, text)).sources == (
        RenderedConfig(weight=3),
        HomographyConfig(),
        RecordedConfig(folder="$DATA/tum/desk", max_gap=5, weight=0.5),
        MegaDepthConfig(images="train", index="index", min_overlap=0.2),
    )
    assert read_config(write(tmp_path, "photos: here")).sources == (RenderedConfig(),)


@pytest.mark.parametrize("name", ["compact", "megadepth", "rgbd"])
def test_configurations_of_the_package(name: str) -> None:
    config = read_config(Path(__file__).parents[2] / "config" / f"train_{name}.yaml")
    assert config.photos == "out/textures"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wings: 2", "unknown key 'wings'"),
        ("1: 2\nwings: 2", "unknown key '1'"),
        ("", "must be a mapping"),
        ("- batch", "must be a mapping"),
        ("batch: [", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        ("batch: '3'", "batch is '3': it must be an int"),
        ("batch: 1.5", "batch is 1.5: it must be an int"),
        ("batch: true", "batch is True: it must be an int"),
        ("batch: 0", "batch is 0: it must be at least 1"),
        ("steps:", "steps is None: it must be an int"),
        ("learning_rate: 2e-3", "write 2.0e-3"),
        ("learning_rate: -1.0", "learning_rate is -1.0: it must be 0 or more"),
        ("average: 1.0", "average is 1.0: it must be at least 0 and less than 1"),
        ("bfloat16: 1", "bfloat16 is 1: it must be a bool"),
        ("photos: 5", "photos is 5: it must be a str"),
        ("sizes: 64", "list of [width, height]"),
        ("sizes: [64, 64]", "list of [width, height]"),
        ("sizes: [[64]]", "list of [width, height]"),
        ("sizes: [[a, b]]", "list of [width, height]"),
        ("sizes: []", "multiples of 8"),
        ("sizes: [[100, 64]]", "multiples of 8"),
        ("sizes: [[64, 56]]", "at least 64"),
        ("sources: rendered", "sources is 'rendered': it must be a list"),
        ("sources: [rendered]", "sources is ['rendered']: it must be a list"),
        ("sources: []", "sources is (): it must be at least one"),
        ("sources: [{weight: 1}]", "source 1: unknown kind None"),
        ("sources: [{kind: rendered}, {kind: films}]", "source 2: unknown kind 'films'"),
        ("sources: [{kind: [rendered]}]", "source 1: unknown kind ['rendered']"),
        ("sources: [{kind: rendered, folder: here}]", "source 1 (rendered): unknown key 'folder'"),
        ("sources: [{kind: rendered, weight: 0}]", "weight is 0: it must be above 0"),
        ("sources: [{kind: sequence}]", "source 1 (sequence): a sequence needs its folder"),
        ("sources: [{kind: sequence, folder: here, max_gap: 0}]", "max_gap of at least 1"),
        ("sources: [{kind: sequence, folder: here, max_gap: 1.5}]", "max_gap is 1.5: it must be an int"),
        ("sources: [{kind: megadepth, images: here}]", "images and index"),
    ],
)
def test_refused(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(TrainingConfigError) as caught:
        read_config(write(tmp_path, text))
    assert words in str(caught.value)
    assert "run.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TrainingConfigError, match=r"nothing\.yaml cannot be read"):
        read_config(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("text", ["sizes: [[32{}, 64]]", "sources: [{{kind: {}}}]", "{}: 1"])
def test_long_texts_are_cut_in_messages(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(text.format("x" * 5000) + "\n")
    with pytest.raises(TrainingConfigError) as error:
        read_config(path)
    assert len(str(error.value)) < 1000
