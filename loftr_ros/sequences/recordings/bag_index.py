"""The index of a bag: stamps of the images and calibrations, from one pass without decoding any image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from loftr_ros.errors import shortened
from loftr_ros.sequences.errors import SequenceError
from loftr_ros.sequences.recordings.bag_file import BagFile
from loftr_ros.sequences.recordings.bag_images import BagImage, ImageMessages

# A stamp that much before the one of an earlier message shows that two recordings are in one bag.
_JUMP_NS = 1_000_000_000


@dataclass
class BagIndex:
    """What one pass over a bag finds.

    Attributes:
        images: by topic, ordered by stamp.
        infos: first calibration by topic.
        notes: for the user.
    """

    images: dict[str, list[BagImage]]
    infos: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_index(
    bag: BagFile,
    images: Collection[str],
    infos: Collection[str],
    listeners: Mapping[str, Sequence[Callable[[Any], None]]],
) -> BagIndex:
    """Read the stamps of the images and the first calibrations, and give other messages, decoded, to `listeners`.

    Raises:
        SequenceError: the bag is damaged, or a calibration is missing, or the stamps jump back.
    """
    index = BagIndex({topic: [] for topic in images})
    messages = ImageMessages(bag, images)
    first_infos: dict[str, bytes] = {}
    changed: dict[str, int] = {}
    for message in bag.messages({*images, *infos, *listeners}):
        if message.topic in index.images:
            stamp_ns = bag.header_stamp_ns(message)
            index.images[message.topic].append(BagImage(messages, message.topic, message.time_ns, stamp_ns, stamp_ns))
        elif message.topic in listeners:
            decoded = bag.decoded(message)
            for listener in listeners[message.topic]:
                listener(decoded)
        elif bag.after_stamp(message) != first_infos.setdefault(message.topic, bag.after_stamp(message)):
            changed.setdefault(message.topic, message.time_ns)
        if message.topic in infos and message.topic not in index.infos:
            index.infos[message.topic] = bag.decoded(message)
    for topic in (*images, *infos):
        read = len(index.images[topic]) if topic in index.images else int(topic in index.infos)
        if not read:
            raise SequenceError(bag.damage(f"no message on {topic} can be read"))
        if topic in index.images and read < bag.counts[topic]:
            index.notes.append(f"{bag.counts[topic]} images on {topic} were recorded, but {read} can be read")
    for topic, found in index.images.items():
        index.images[topic] = _in_order(topic, found, bag, index.notes)
    index.notes += [f"the calibration on {topic} changes in the bag: the first is used" for topic in changed]
    return index


def _in_order(topic: str, found: list[BagImage], bag: BagFile, notes: list[str]) -> list[BagImage]:
    """Return the images ordered by stamp, once for each stamp."""
    if not any(image.stamp_ns for image in found):
        notes.append(f"images on {topic} have no stamps: taking the times at which they were recorded")
        return _once(topic, [replace(image, stamp_ns=image.time_ns) for image in found], notes)
    for before, after in pairwise(found):
        if before.stamp_ns - after.stamp_ns >= _JUMP_NS:
            seconds = (before.stamp_ns - after.stamp_ns) * 1e-9
            raise SequenceError(
                f"{shortened(bag.path, 300)} has stamps on {topic} that jump back by {seconds:.3g} s: two recordings "
                "are in one bag; split it."
            )
    return _once(topic, sorted(found, key=lambda image: image.stamp_ns), notes)


def _once(topic: str, ordered: list[BagImage], notes: list[str]) -> list[BagImage]:
    """Drop images with the stamp of the one before."""
    kept = ordered[:1] + [after for before, after in pairwise(ordered) if before.stamp_ns < after.stamp_ns]
    if len(kept) < len(ordered):
        notes.append(f"{len(ordered) - len(kept)} of {len(ordered)} images on {topic} repeat a stamp: left out")
    return kept
