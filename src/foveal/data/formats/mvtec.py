"""MVTec AD: good parts to learn from, good and defective ones to test with, and a mask for each defect."""

from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import bad, stem_of
from foveal.data.formats._classes import class_name
from foveal.data.formats._defects import Part, called_good, defect_dataset
from foveal.data.formats._format import Format
from foveal.data.formats._splits import SPLITS
from foveal.data.good import GOOD
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree

_TRUTH = "ground_truth"
_ENDING = "_mask"


def _lacks(tree: Tree) -> str | None:
    places = [name.split("/") for name in tree.files if is_picture(name)]
    if not any(parts[0].lower() in SPLITS and len(parts) == 3 and called_good(parts[1]) for parts in places):
        return "no pictures in train/good"
    return None if _TRUTH in tree.folders else f"no folder {_TRUTH}"


def _read(tree: Tree, group: str | None) -> Dataset:
    masks = _masks(tree)
    parts = []
    for name in tree.files:
        place = name.split("/")
        if is_picture(name) and place[0].lower() in SPLITS and len(place) == 3:
            kind = GOOD if called_good(place[1]) else class_name(place[1])
            mask = masks.get(f"{place[1]}/{stem_of(place[2])}", "")
            parts.append(Part(name, SPLITS[place[0].lower()], kind, mask))
    unused = sorted(set(masks.values()) - {part.mask for part in parts})
    if unused:
        raise bad(
            tree, unused[0], None, "no picture in test has this name",
            hint="the mask of test/hole/1.png is ground_truth/hole/1_mask.png, or 1.png there",
        )  # fmt: skip
    return defect_dataset("mvtec", tree, parts, group, ())


def _masks(tree: Tree) -> dict[str, str]:
    """Return the masks by kind and name of the picture."""
    found = {}
    for name in tree.files:
        top, _, rest = name.partition("/")
        if top == _TRUTH and rest.count("/") == 1 and is_picture(name):
            found[stem_of(rest).removesuffix(_ENDING)] = name
    return found


mvtec = Format(
    looks_for="train/good/<picture>, test/<kind>/<picture> and ground_truth/<kind>/<name>_mask.png",
    lacks=_lacks,
    read=_read,
    precedes=("defect_folders",),
    tasks=("defect",),
    on_request=True,
)
