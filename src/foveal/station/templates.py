"""Which template an inspected picture is compared with, where the pictures come alone."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from foveal.bundle.inputs import content
from foveal.core.errors import DataError, ImageError, NotFoundError
from foveal.core.text import printable
from foveal.data.decode import header
from foveal.data.pair import joined
from foveal.data.suffixes import is_picture
from foveal.stream.shot import Picture


@dataclass(frozen=True)
class Templates:
    """One template for all pictures, or one for each type of part.

    Attributes:
        one: Content of that for all.
        by_name: Content of each by its name without suffix: it is for pictures whose names begin so.
    """

    one: bytes | None = field(default=None, repr=False)
    by_name: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def file(cls, path: Path) -> "Templates":
        """Read one for all.

        Raises:
            NotFoundError: There is no such file.
            ImageError: It is no picture.
        """
        return cls(one=_read(path))

    @classmethod
    def folder(cls, path: Path) -> "Templates":
        """Read those of a folder.

        Raises:
            NotFoundError: It cannot be listed.
            ImageError: One is no picture.
            DataError: `no_template`: there is none in it.
        """
        shown = printable(str(path))
        try:
            names = sorted(one for one in path.iterdir() if is_picture(one.name) and one.is_file())
        except OSError as error:
            raise NotFoundError(f"{shown} cannot be listed: {error.strerror}", path=shown) from None
        if not names:
            raise DataError(f"there is no picture in {shown}", code="no_template", path=shown)
        return cls(by_name={one.stem: _read(one) for one in names})

    def with_template(self, picture: Picture, name: str) -> bytes:
        """Return the content of the pair that a picture makes with its template.

        Args:
            picture: Content or pixels of the inspected picture.
            name: Its file, or what else it is called.

        Raises:
            ImageError: `no_template`: its name begins as that of none.
        """
        template = self.one if self.one is not None else self._of(Path(name).name)
        pair: bytes = joined(picture if isinstance(picture, bytes) else _stored(picture), template)
        return pair

    def _of(self, name: str) -> bytes:
        fitting = [stem for stem in self.by_name if name.startswith(stem)]
        if not fitting:
            raise ImageError(f"{name} begins as the name of no template", code="no_template")
        return self.by_name[max(fitting, key=len)]


def _read(path: Path) -> bytes:
    data = content(path)
    try:
        header(data)
    except ImageError as error:
        error.path = printable(str(path))
        raise
    return data


def _stored(pixels: "Picture") -> bytes:
    """Return pixels as the content of a picture file, without loss."""
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG", compress_level=1)  # type: ignore[arg-type]
    return target.getvalue()
