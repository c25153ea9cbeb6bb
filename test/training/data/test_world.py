"""World scenes: the ground truth is exact for every kind, and pairs are as hard as asked for."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from loftr_ros.training.data.random import Draw
from loftr_ros.training.data.rendering import Scene, View
from loftr_ros.training.data.scenes import ViewPair
from loftr_ros.training.data.textures import TextureAtlas
from loftr_ros.training.data.world import pairs as pairs_module
from loftr_ros.training.data.world.camera import blurred, with_vehicle
from loftr_ros.training.data.world.indoors import corridor
from loftr_ros.training.data.world.light import Light
from loftr_ros.training.data.world.pairs import KINDS, world_pairs
from loftr_ros.training.data.world.place import RECTANGLES, Place, a_moment_later
from loftr_ros.training.supervision import warp

CPU = torch.device("cpu")
SIZE = (96, 128)


@pytest.mark.parametrize("difficulty", [0.0, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_truth_is_where_the_gray_values_are(
    kind: str,
    difficulty: float,
    patterns: TextureAtlas,
    unexplained: Callable[[ViewPair], float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With zoom, roll and wide baselines; exposure, blur and shadows on their way are no matter of geometry."""
    monkeypatch.setattr(pairs_module, "_exposed", lambda draw, view, level, jump: view)
    monkeypatch.setattr(pairs_module, "LONGEST_BLUR", 0.0)
    monkeypatch.setattr(Light, "later", lambda self, draw: self)
    pairs = world_pairs(Draw(5, CPU), patterns, 24, SIZE, difficulty, kind)
    assert unexplained(pairs) < 0.25
    beside = replace(pairs, b=View(pairs.b.image.roll(3, 3), pairs.b.depth))  # three pixels to the right
    assert unexplained(beside) > 1.5 * unexplained(pairs)


def test_all_kinds_are_of_one_size_and_closed_or_have_ground(patterns: TextureAtlas) -> None:
    for make in KINDS.values():
        place = make(Draw(0, CPU), patterns.count, 3)
        assert all(len(part) == 3 and part.shape[1] == RECTANGLES for part in vars(place.scene).values())
        assert (place.low <= place.high).all()
        # Orthogonal axes: the caster and the texture rely on it.
        right, up = place.scene.right, place.scene.up
        assert ((right * up).sum(2).abs() < 1e-4 * right.norm(dim=2) * up.norm(dim=2)).all()


def test_places_are_mixed(patterns: TextureAtlas) -> None:
    places = [make(Draw(0, CPU), patterns.count, 4) for make in KINDS.values()]
    mixed = Place.choose(places, torch.tensor([5, 0, 3, 0]))
    for i, kind in enumerate((5, 0, 3, 0)):
        assert torch.equal(mixed.scene.center[i], places[kind].scene.center[i])
        assert torch.equal(mixed.high[i], places[kind].high[i])


def test_doors_of_a_corridor_are_alike_and_equally_far_apart(patterns: TextureAtlas) -> None:
    scene = corridor(Draw(0, CPU), 1000, 5).scene
    doors = slice(6, 10)  # on one side, after the walls
    assert (scene.texture[:, doors] == scene.texture[:, 6:7]).all()
    steps = scene.center[:, doors, 2].diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), rtol=1e-4, atol=1e-4)
    assert (scene.texture[:, 1] == scene.texture[:, 2]).all()  # and so are the walls
    assert len({int(texture) for texture in scene.texture[0, 17:21]}) > 2  # but no two signs


def overlap(pairs: ViewPair) -> torch.Tensor:
    return warp(*pairs.geometry)[1].float().mean(1)


def test_difficulty_lowers_the_overlap_and_rolls(patterns: TextureAtlas) -> None:
    easy, hard = (world_pairs(Draw(0, CPU), patterns, 60, (64, 96), level) for level in (0.0, 1.0))
    assert overlap(easy).median() > overlap(hard).median() + 0.1
    assert overlap(hard).quantile(0.15) < 0.3
    assert overlap(hard).quantile(0.9) > 0.6
    assert torch.equal(easy.K_b if easy.K_b is not None else easy.K, easy.K)
    assert hard.K_b is not None
    ratio = hard.K_b[:, 0, 0] / hard.K[:, 0, 0]
    assert 0.05 < (ratio != 1).float().mean() < 0.6
    # Cosine of the roll: only hard pairs have cameras upside down.
    assert (easy.T_b_a[:, 1, 1] > 0).all()
    assert (hard.T_b_a[:, 1, 1] < 0).any()


def test_depends_on_the_seed_only(patterns: TextureAtlas) -> None:
    first, again, other = (world_pairs(Draw(s, CPU), patterns, 2, (64, 64), 0.7) for s in (1, 1, 2))
    assert torch.equal(first.b.image, again.b.image)
    assert not torch.equal(first.b.image, other.b.image)
    assert first.a.image.min() >= 0
    assert first.a.image.max() <= 1


def test_vehicle_is_at_the_same_place_and_has_no_truth() -> None:
    view = View(torch.full((8, 1, *SIZE), 2.0), torch.ones(8, *SIZE))
    other = View(torch.full((8, 1, *SIZE), 3.0), torch.ones(8, *SIZE))
    a, b = with_vehicle(Draw(0, CPU), view, other, 1.0)
    covered = a.depth.isinf()
    assert torch.equal(covered, b.depth.isinf())
    assert 0.02 < covered.float().mean() < 0.5
    assert torch.equal(a.image[:, 0][covered], b.image[:, 0][covered])
    assert (a.image[:, 0][~covered] == 2).all()
    none, _ = with_vehicle(Draw(0, CPU), view, other, 0.0)
    assert torch.equal(none.image, view.image)


@pytest.mark.parametrize(("step", "axis"), [((0.2, 0, 0), 1), ((0, 0.2, 0), 0)])
def test_blur_is_along_the_motion_and_centered(step: tuple[float, float, float], axis: int) -> None:
    """A bright dot before a camera that moves along x or y becomes a line in that direction, about where it was."""
    image = torch.zeros(1, 1, 65, 65)
    image[0, 0, 32, 32] = 1
    K = torch.tensor([[[60.0, 0, 32], [0, 60.0, 32], [0, 0, 1]]])
    T = torch.eye(4)[None].clone()
    T[0, :3, 3] = torch.tensor(step)
    draw = Draw(0, CPU)
    draw.uniform = lambda low, high, *shape: torch.full(shape, high)  # type: ignore[method-assign]
    found = blurred(draw, View(image, torch.full((1, 65, 65), 2.0)), K, T, 8.0).image[0, 0]
    rows, columns = torch.where(found > 0.05)
    along, across = (columns, rows) if axis else (rows, columns)
    assert (along.min(), along.max(), across.min(), across.max()) == (28, 36, 32, 32)
    assert found.sum().item() == pytest.approx(1.0, abs=1e-4)


def test_blur_of_a_camera_at_rest_is_none() -> None:
    view = View(torch.rand(3, 1, 32, 32), torch.ones(3, 32, 32))
    same = blurred(Draw(0, CPU), view, torch.eye(3).expand(3, 3, 3), torch.eye(4).expand(3, 4, 4), 9.0)
    torch.testing.assert_close(same.image, view.image, rtol=1e-4, atol=1e-4)


def test_light_belongs_to_the_place(patterns: TextureAtlas, camera: torch.Tensor) -> None:
    """Seen from two cameras a point is lit alike: light.on of a white plane, compared at the same points."""
    light = Light.random(Draw(1, CPU), torch.tensor([[-2.0, -2, 0]]), torch.tensor([[2.0, 2, 4]]))
    view = View(torch.ones(1, 1, 64, 96), torch.full((1, 64, 96), 4.0))
    here, moved = torch.eye(4)[None].clone(), torch.eye(4)[None].clone()
    moved[0, 0, 3] = 0.5  # meters to the right: ten pixels of 80 / 4 a meter
    a, b = light.on(view, camera, here).image, light.on(view, camera, moved).image
    torch.testing.assert_close(a[..., 10:], b[..., :-10], rtol=1e-4, atol=1e-4)
    assert a.std() > 1e-3
    assert a.max() <= 1 + 1e-5


def test_shadows_move_in_some_scenes_only() -> None:
    low = torch.zeros(40, 3)
    light = Light.random(Draw(1, CPU), low, low + 3)
    later = light.later(Draw(2, CPU))
    moved = (later.phase != light.phase).any(1).float().mean()
    assert 0.3 < moved < 0.7
    assert torch.equal(later.lamp, light.lamp)


def test_only_what_moves_moves() -> None:
    center = torch.zeros(1, 2, 3)
    ones = torch.ones(1, 2)
    x, y = torch.tensor([[[1.0, 0, 0]] * 2]), torch.tensor([[[0, 1.0, 0]] * 2])
    scene = Scene(center, x, y, ones.long(), ones, ones, ones, torch.tensor([[True, False]]))
    later = a_moment_later(Draw(0, CPU), scene)
    assert later.center[0, 0].norm() > 0.05
    assert torch.equal(later.center[0, 1], center[0, 1])
