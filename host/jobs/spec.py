"""What a job is asked to do: the one file `spec.json` between the pages, the CLI and the child."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from ..deploy.firmware import Firmware, find
from ..errors import UserError


@dataclass(frozen=True, slots=True)
class JobSpec:
    """The order for one run of the pipeline.

    `source` and `test` (a held-back data set, "" for none) are paths of a zip or a folder,
    relative ones inside the job folder. `preset`, `fit` and `backbone` are names that
    `host.trainer.options` knows ("" for what is usual for the task), `size` is the input's side
    in pixels or (width, height), `firmware` an id of
    `host.deploy.firmware` ("" for its default), `firmware_folder` where the user keeps MaixPy
    files ("" for none). `seal` is the name of the board, in the key store of `data_folder`, that
    the model is sealed for ("" for none); no spec holds a key or a machine code. With `canmv` a
    kmodel V5 is made as well, by the interpreter
    `nncase_python` ("" for one that is found). `overrides` are further options of the trainer by
    name. `limits` and `rules` are fields of `host.datasets.limits` that differ from their
    defaults.
    """

    source: str
    name: str = "model"
    preset: str = "balanced"
    seed: int = 0
    fit: str = ""
    size: int | tuple[int, int] = 224
    backbone: str = ""
    firmware: str = ""
    firmware_folder: str = ""
    seal: str = ""
    data_folder: str = ""
    test: str = ""
    canmv: bool = False
    nncase_python: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)

    def choices(self) -> dict[str, Any]:
        """Return what is said of the trainer's options, by their names."""
        named = {"fit": self.fit, "backbone": self.backbone}
        chosen = {name: value for name, value in named.items() if value}
        return {"size": self.size, "seed": self.seed, **chosen, **self.overrides}

    def firmware_file(self, build: Firmware) -> Path | None:
        """Return the user's file of a MaixPy build, None where there is none."""
        return find(Path(self.firmware_folder), build) if self.firmware_folder else None

    def to_json(self) -> str:
        """Return the spec as JSON text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            UserError: `spec_unreadable` when it is no such text.
        """
        try:
            values = json.loads(text)
            unknown = set(values) - {one.name for one in fields(cls)}
            if unknown:
                raise ValueError(f"unknown field {min(unknown)}")
            return cls(**values)
        except (ValueError, TypeError) as error:
            raise UserError("spec_unreadable", "spec.json", reason=str(error)) from error
