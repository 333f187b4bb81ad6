"""A job's data: the page of its pictures, and the API that edits them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from ..datasets.dataset import Sample
from ..errors import UserError
from ..jobs import edits, gallery, submit
from ..jobs.gallery import MARKS, Gallery, Picture
from ..jobs.store import IDLE, Job
from . import problems
from .openapi import BYTES, TEXT, Schema, answer, closed, describe, many, ref
from .state import host

blueprint = Blueprint("data", __name__)

COUNT, COUNT_MAX = 200, 2000
"""Pictures of one answer: as usual, and at most."""
BODY_BYTES = 2 * 1024 * 1024
NEGATIVE = "negative"
"""The filter for pictures without boxes, beside those of `MARKS`."""

NUMBER: Schema = {"type": "integer", "minimum": 0}
_EDGE: Schema = {"type": "number", "minimum": 0}
_BOX = closed(label=TEXT, **dict.fromkeys(edits.BOX[1:], _EDGE))
_PICTURE = closed(
    number=NUMBER,
    path=TEXT,
    label=TEXT,
    width=NUMBER,
    height=NUMBER,
    boxes=many(_BOX),
    mark={"type": "string", "enum": ["", *MARKS]},
    group={"type": "integer"},
)
STATE = {
    "counts": {"type": "object", "additionalProperties": NUMBER},
    "undo": NUMBER,
    "redo": NUMBER,
    "editable": {"type": "boolean"},
    "trainable": {"type": "boolean"},
    "findings": many(ref("Finding")),
}
_EDIT = {
    "type": "object",
    "properties": {
        "edit": {"type": "string", "enum": ["move", "delete", "boxes", "rename", "undo", "redo"]},
        "pictures": {**many(NUMBER), "description": "Of move, delete, boxes: their numbers."},
        "label": {**TEXT, "description": "Of move: the class; of rename: what is renamed."},
        "to": {**TEXT, "description": "Of rename."},
        "boxes": {**many(_BOX), "description": "All boxes of the one picture, in its pixels."},
    },
    "required": ["edit"],
}
_QUERY = {
    "label": TEXT,
    "mark": {"type": "string", "enum": [*MARKS, NEGATIVE]},
    "after": NUMBER,
    "count": {"type": "integer", "minimum": 1, "maximum": COUNT_MAX},
}


@blueprint.get("/api/jobs/<job_id>/pictures")
@describe(answer(total=NUMBER, pictures=many(_PICTURE), **STATE), query=_QUERY)
def pictures(job_id: str) -> Response:
    """List a job's pictures as edited, of one class (`label`) or with one `mark`, by pages.

    `number` names a picture for ever; `mark` says what is odd about it, `group` is equal for near
    duplicates. `after` is how many to pass over. Boxes are in pixels of the picture.
    """
    job, shown = open_job(job_id)
    found = _filtered(shown, *_filter())
    page = [picture_dict(shown, one) for one in found[_page()]]
    return jsonify(ok=True, total=len(found), pictures=page, **state(job, shown))


@blueprint.get("/api/jobs/<job_id>/pictures/<int:number>")
@describe(answer(picture=_PICTURE, **STATE))
def one_picture(job_id: str, number: int) -> Response:
    """Show one picture as edited."""
    job, shown = open_job(job_id)
    one = picture_dict(shown, shown.picture(number))
    return jsonify(ok=True, picture=one, **state(job, shown))


@blueprint.post("/api/jobs/<job_id>/pictures/edits")
@describe(answer(changed=many(NUMBER), **STATE), body=_EDIT, kinds=("application/json",))
def edit(job_id: str) -> Response:
    """Edit the data of a job that neither waits nor runs; it is on the disk when this answers.

    `move` (pictures, label), `delete` (pictures), `boxes` (pictures: one, boxes), `rename` (label,
    to), `undo`, `redo`. What was received stays as it is; the check is done again. `changed` are
    the pictures that are gone, back or not as before, also in what is odd about them.
    """
    if (request.content_length or 0) > BODY_BYTES:
        raise UserError("edit_unreadable", reason=f"> {BODY_BYTES} bytes")
    value = request.get_json(silent=True)
    if isinstance(value, dict) and value.get("edit") == "add":
        raise UserError("edit_unreadable", reason="add: POST /api/jobs/JOB/pictures")
    job, shown = open_job(job_id)
    if isinstance(value, dict) and isinstance(value.get("pictures"), list):
        numbers = [one for one in value["pictures"] if type(one) is int]
        if len(numbers) != len(value["pictures"]):
            raise UserError("edit_unreadable", reason="pictures: numbers")
        value |= {"pictures": list(shown.paths(numbers))}
    edited = _change(job, shown, edits.parse(value))
    changed = gallery.changed(shown, edited)
    return jsonify(ok=True, changed=changed, **state(job, edited))


@blueprint.get("/api/jobs/<job_id>/pictures/<int:number>/<size>.jpg")
@describe(BYTES, kind="image/jpeg")
def preview(job_id: str, number: int, size: str) -> Response:
    """Send a received picture, written anew: `small` (192 pixels) or `large` (1,280 pixels)."""
    _, shown = open_job(job_id)
    folder = host().store.folder(job_id)
    data = gallery.preview(folder, shown.received.dataset, number, size)
    made = Response(data, content_type="image/jpeg")
    made.headers["Cache-Control"] = "private, max-age=86400"  # what was received never changes
    return made


@blueprint.get("/jobs/<job_id>/data")
def page(job_id: str) -> str:
    """Show the pictures of a job by class; with `only` (numbers) no others."""
    job, shown = open_job(job_id)
    if job.state in IDLE and job.dataset != submit.summary(shown.checked):
        # The host was stopped after an edit was on the disk and before the row knew.
        shown = submit.check_again(host().store, host().settings, job_id)
        job = host().store.get(job_id)
    label, mark = _filter()
    found, part = _filtered(shown, label, mark), _page()
    if "only" in request.args:
        only = set(request.args["only"].split(","))
        listed, part = [one for one in found if str(one.number) in only], slice(0, COUNT_MAX)
    else:
        listed = found[part]
    return render_template(
        "job_data.html",
        job=job,
        stage=0,
        **_frame(job, shown),
        label=label,
        mark=mark,
        total=len(found),
        pictures=listed,
        after=part.start,
        next=part.stop if part.stop < len(found) else None,
        tabs=_tabs(shown),
    )


@blueprint.get("/jobs/<job_id>/data/<int:number>")
def boxes(job_id: str, number: int) -> str:
    """Show one picture of a detector with its boxes, to draw and to correct them."""
    job, shown = open_job(job_id)
    one = shown.picture(number)
    chosen = _filter()
    found = _filtered(shown, *chosen)
    place = found.index(one) if one in found else -1
    before, after = _neighbours(found, one)
    return render_template(
        "job_boxes.html",
        job=job,
        stage=0,
        **_frame(job, shown),
        picture=one,
        data=picture_dict(shown, one),
        # Nothing else of an address goes on: `url_for` has words of its own.
        query={name: value for name, value in zip(("label", "mark"), chosen, strict=True) if value},
        before=before,
        next=after,
        place=place + 1,
        total=len(found),
    )


@blueprint.post("/jobs/<job_id>/data")
def change(job_id: str) -> BaseResponse:
    """Edit as the form says, for browsers without scripts and for the check page's buttons."""
    job, shown = open_job(job_id)
    form = request.form
    chosen = form.getlist("picture", type=int)
    act, to = form.get("act", ""), form.get("to", "")
    if act == "clear":
        chosen = [one.number for one in _spare(shown, form.get("mark", ""))]
    value: dict[str, Any] = {"edit": "delete" if act == "clear" else act or "move"}
    if value["edit"] in ("move", "delete"):
        value["pictures"] = list(shown.paths(chosen))
    if value["edit"] == "move":
        value["label"] = to
    if act == "rename":
        value |= {"label": form.get("label", ""), "to": to}
    _change(job, shown, edits.parse(value))
    if form.get("back") == "check":
        return redirect(url_for("pages.job", job_id=job_id), 303)
    label = (to if act == "rename" else form.get("label")) or None
    mark = form.get("mark") or None
    return redirect(url_for("data.page", job_id=job_id, label=label, mark=mark), 303)


def picture_dict(shown: Gallery, one: Picture) -> dict[str, Any]:
    """Return a picture as the API shows it."""
    return {
        "number": one.number,
        "path": one.sample.path,
        "label": one.label,
        "width": one.sample.width,
        "height": one.sample.height,
        "boxes": _boxes(shown, one.sample),
        "mark": one.mark,
        "group": one.group,
    }


def _boxes(shown: Gallery, sample: Sample) -> list[dict[str, Any]]:
    names = shown.edited.labels
    edges = edits.BOX[1:]
    return [
        {"label": names[box.label], **{edge: getattr(box, edge) for edge in edges}}
        for box in sample.boxes
    ]


def open_job(job_id: str) -> tuple[Job, Gallery]:
    """Return a job and its pictures."""
    here = host()
    return here.store.get(job_id), submit.shown(here.store, here.settings, job_id)


def _change(job: Job, shown: Gallery, step: edits.Step) -> Gallery:
    """Make an edit durable, check the data again and write to the job's row what was found."""
    here = host()
    with here.store.held(job.id):
        edits.add(here.store.folder(job.id), shown.received.dataset, step)
    return submit.check_again(here.store, here.settings, job.id)


def state(job: Job, shown: Gallery) -> dict[str, Any]:
    """Return what every answer about a job's data says; its schema is `STATE`."""
    return {
        "counts": _counts(shown),
        "undo": len(shown.history.done),
        "redo": len(shown.history.undone),
        "editable": job.state in IDLE,
        "trainable": not shown.checked.errors(),
        "findings": problems.as_dicts(shown.checked.findings),
    }


def _counts(shown: Gallery) -> dict[str, int]:
    """Return what the check counts of each label, 0 of one that it does not take."""
    return dict.fromkeys(shown.edited.labels, 0) | shown.checked.counts()


def _filter() -> tuple[str, str]:
    """Return which class and which mark the request asks for, "" for all."""
    return request.args.get("label", ""), request.args.get("mark", "")


def _page() -> slice:
    after = max(request.args.get("after", 0, type=int), 0)
    count = min(max(request.args.get("count", COUNT, type=int), 1), COUNT_MAX)
    return slice(after, after + count)


def _filtered(shown: Gallery, label: str, mark: str) -> tuple[Picture, ...]:
    found = shown.pictures
    if mark == NEGATIVE:
        found = tuple(one for one in found if not one.sample.boxes)
    elif mark:
        found = next((shown.marked(one) for one in MARKS if one == mark), ())
    if label:
        places = {name: place for place, name in enumerate(shown.edited.labels)}
        found = tuple(one for one in found if places.get(label, -1) in _labels(one.sample))
    return found


def _neighbours(found: tuple[Picture, ...], one: Picture) -> tuple[int | None, int | None]:
    """Return the numbers before and after a picture, also when an edit took it out of `found`."""
    numbers = [other.number for other in found]
    if one.number not in numbers:
        numbers = sorted([*numbers, one.number])
    place = numbers.index(one.number)
    before = numbers[place - 1] if place else None
    return before, numbers[place + 1] if place + 1 < len(numbers) else None


def _labels(sample: Sample) -> set[int | None]:
    return {sample.label, *(box.label for box in sample.boxes)}


def _spare(shown: Gallery, mark: str) -> list[Picture]:
    """Return what one click deletes: all with the mark, of near duplicates all but the first."""
    if mark not in ("same", "broken", "near"):
        return []
    found, groups = shown.marked(mark), set[int]()
    if mark != "near":
        return list(found)
    first = [one for one in found if not (one.group in groups or groups.add(one.group))]
    return [one for one in found if one not in first]


def _frame(job: Job, shown: Gallery) -> dict[str, Any]:
    """Return what both pages show around the pictures."""
    said = state(job, shown)
    errors = [one for one in said["findings"] if one["severity"] == "error"]
    return {
        **said,
        "errors": errors,
        "labels": shown.edited.labels,
        "detects": shown.edited.task == "detect",
        "texts": texts(),
        "boxes_of": lambda one: _boxes(shown, one.sample),
    }


def _tabs(shown: Gallery) -> list[tuple[dict[str, str], str, int]]:
    """Return the filters: query of the address, name, number of pictures."""
    detects = shown.edited.task == "detect"
    names = {
        "near": _("Near duplicates"),
        "same": _("Equal pictures"),
        "torn": _("Equal, other boxes") if detects else _("In two classes"),
        "broken": _("Cannot be used"),
    }
    tabs = [({}, _("All"), len(shown.pictures))]
    for label in shown.edited.labels:
        tabs.append(({"label": label}, label, len(_filtered(shown, label, ""))))
    if detects:
        tabs.append(({"mark": NEGATIVE}, _("Without boxes"), len(_filtered(shown, "", NEGATIVE))))
    marked = [({"mark": mark}, names[mark], len(shown.marked(mark))) for mark in MARKS]
    return tabs + [one for one in marked if one[2]]


def texts() -> dict[str, str]:
    """Return what the scripts say, in the page's language."""
    return {
        "chosen": _("{n} chosen"),
        "saved": _("Saved."),
        "saving": _("Saving ..."),
        "deleted": _("{n} deleted. Undo with Ctrl+Z."),
        "moved": _("{n} moved to {label}. Undo with Ctrl+Z."),
        "undone": _("Undone."),
        "redone": _("Done again."),
        "none_chosen": _("Choose pictures first: click them, or arrow keys and Space."),
        "no_answer": _("The host did not answer. Is it still running?"),
        "box": _("Box {n}: {label}"),
        "no_boxes": _("No boxes: this picture teaches what is none of the objects."),
        "label_first": _("Choose or type a label first."),
        "adding": _("Sending pictures: {done} of {all}"),
        "added": _("{n} added."),
        "not_added": _("Not added: {names}"),
        "no_pictures": _("There are no pictures among these files."),
    }
