"""The jobs: one row each in SQLite and one folder each beside it."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Engine,
    TypeDecorator,
    create_engine,
    delete,
    event,
    inspect,
    select,
)
from sqlalchemy import update as sql_update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from ..errors import UserError

State = Literal["checked", "queued", "running", "paused", "done", "failed", "cancelled"]
"""checked: data is here and usable, nothing asked yet; paused: goes on by itself when what it
lacks, such as room on the disk, is there again; the others say what they say."""

STATES: tuple[State, ...] = get_args(State)
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
IDLE: tuple[State, ...] = ("checked", *ENDED)
"""Of a job that may be changed, sent or deleted."""
UNENDED: tuple[State, ...] = ("queued", "running", "paused")
MailState = Literal["", "waiting", "sending", "sent", "failed", "unsure"]
"""waiting: for the job's end or for the next attempt; unsure: nobody knows whether it was sent."""
BUSY_SECONDS = 30
"""How long a writer waits for another one before SQLite gives up."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC; SQLite itself forgets the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store UTC without its zone."""
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    """The tables of the host."""


class Job(Base):
    """One job. `fraction` is 0..1 of the whole job, times are UTC.

    `dataset` is what the check counted (see `result_types.DatasetSummary`), `findings` and
    `failure` are lists as `host.jobs.findings` writes them, `options` the spec's choices,
    `result` the pipeline's `result.json`. `cancel` is set while a running job is being
    stopped. `deaths` counts its processes that were killed. `owner` is the worker that runs the
    job, until `lease` unless it renews that. `submitter` is who sent it, `turn` when it is whose
    (see `lease`). A job that is `kept` is never cleaned away.
    `mail` is the address that is told of the end, `mail_state` where that stands, `mail_next` when
    it is tried again, `mail_info` its language, attempts and findings (see `outbox`).
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[State] = mapped_column(index=True)
    step: Mapped[str] = mapped_column(default="")
    fraction: Mapped[float] = mapped_column(default=0.0)
    eta_seconds: Mapped[float | None] = mapped_column(default=None)
    cancel: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
    queued: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    started: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    ended: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    dataset: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    failure: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    owner: Mapped[str] = mapped_column(default="")
    lease: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    deaths: Mapped[int] = mapped_column(default=0)
    submitter: Mapped[str] = mapped_column(default="")
    turn: Mapped[int] = mapped_column(default=0)
    kept: Mapped[bool] = mapped_column(default=False)
    mail: Mapped[str] = mapped_column(default="")
    mail_state: Mapped[MailState] = mapped_column(default="", index=True)
    mail_next: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    mail_info: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    @property
    def trainable(self) -> bool:
        """Whether the check found nothing that keeps the data from being trained."""
        return all(one["severity"] != "error" for one in self.findings)


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a random id of 11 characters that may stand in a URL and in a file name."""
    # A leading "-" would read as an option on a command line.
    return secrets.token_urlsafe(8).replace("-", "a")


class Store:
    """The jobs of one data folder. Every method opens one short session of its own."""

    def __init__(self, data: Path) -> None:
        """Open, and create where needed, the tables in `data`.

        Raises:
            UserError: `data_folder_unwritable`.
        """
        self.data = data.resolve()
        self.jobs_folder = self.data / "jobs"
        try:
            self.jobs_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError("data_folder_unwritable", str(data), reason=str(error)) from error
        self._engine = _engine(self.data / "maixforge.sqlite3")
        Base.metadata.create_all(self._engine)
        _add_columns(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def folder(self, job_id: str) -> Path:
        """Return the folder of a job; it need not exist."""
        return self.jobs_folder / job_id

    def add(self, job_id: str, name: str, **values: Any) -> Job:
        """Insert a job in state `checked` and return it."""
        job = Job(id=job_id, name=name, state="checked", created=now(), **values)
        with self._session() as session:
            session.add(job)
        return job

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UserError: `job_missing`.
        """
        with self._session() as session:
            return _found(session, job_id, STATES)

    def done(self, job_id: str) -> Job:
        """Return a job that is done.

        Raises:
            UserError: `job_missing`, or `job_state_wrong`.
        """
        with self._session() as session:
            return _found(session, job_id, ("done",))

    def idle(self, job_id: str) -> Job:
        """Return a job that neither waits nor runs.

        Raises:
            UserError: `job_missing`, or `job_state_wrong`.
        """
        with self._session() as session:
            return _found(session, job_id, IDLE)

    @contextmanager
    def held(self, job_id: str) -> Iterator[None]:
        """Let nobody, of any process, send or delete an idle job until the block ends.

        Everyone who writes to the table waits meanwhile, so the block must be short and not write.

        Raises:
            UserError: as `idle`.
        """
        with Session(self._engine) as session:  # nothing is committed: it is the lock that counts
            session.execute(sql_update(Job).where(Job.id == job_id).values(state=Job.state))
            _found(session, job_id, IDLE)
            yield

    def jobs(self, states: Collection[State] = STATES) -> list[Job]:
        """Return the jobs in one of `states`, newest first."""
        query = select(Job).where(Job.state.in_(states)).order_by(Job.created.desc(), Job.id)
        with self._session() as session:
            return [*session.scalars(query)]

    def mails(self, mail_state: MailState, states: Collection[State]) -> list[Job]:
        """Return the jobs in one of `states` whose mails are in `mail_state`, oldest first."""
        query = select(Job).where(Job.mail_state == mail_state, Job.state.in_(states))
        with self._session() as session:
            return [*session.scalars(query.order_by(Job.ended, Job.id))]

    def waiting(self) -> list[Job]:
        """Return the queued jobs, the next one first."""
        jobs = self.jobs(("queued",))
        return sorted(jobs, key=lambda job: (job.turn, job.queued or job.created, job.id))

    def before(self, job_id: str) -> list[Job]:
        """Return the queued jobs before a job; none when it does not wait."""
        waiting = self.waiting()
        place = next((at for at, job in enumerate(waiting) if job.id == job_id), 0)
        return waiting[:place]

    def update(self, job_id: str, **values: Any) -> None:
        """Set columns of a job that exists; a deleted one stays deleted."""
        with self._session() as session:
            session.execute(sql_update(Job).where(Job.id == job_id).values(**values))

    def move(
        self,
        job_id: str,
        before: Collection[State],
        after: State,
        *conditions: Any,
        **values: Any,
    ) -> bool:
        """Change the state if it is one of `before` and all conditions hold; return whether so.

        One SQL statement, so of several callers exactly one gets True.
        """
        query = sql_update(Job).where(Job.id == job_id, Job.state.in_(before), *conditions)
        with self._session() as session:
            result = session.execute(query.values(state=after, **values))
        assert isinstance(result, CursorResult)
        return result.rowcount == 1

    def remove(self, job_id: str) -> None:
        """Delete a job that is not queued or running, row first, then its folder.

        Raises:
            UserError: `job_missing` or `job_state_wrong`.
        """
        job = self.get(job_id)
        query = delete(Job).where(Job.id == job_id, Job.state.in_(IDLE))
        with self._session() as session:
            gone = session.execute(query)
        assert isinstance(gone, CursorResult)
        if gone.rowcount != 1:
            raise UserError("job_state_wrong", job_id, state=job.state, needed="cancelled")
        shutil.rmtree(self.folder(job_id), ignore_errors=True)

    def sweep(self) -> None:
        """Remove folders that have no row: uploads that a crash cut off."""
        known = {job.id for job in self.jobs()}
        for folder in self.jobs_folder.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session


def _found(session: Session, job_id: str, states: Sequence[State]) -> Job:
    job = session.get(Job, job_id)
    if job is None:
        raise UserError("job_missing", job_id)
    if job.state not in states:
        raise UserError("job_state_wrong", job_id, state=job.state, needed=states[0])
    return job


def _add_columns(engine: Engine) -> None:
    """Give a table of an older MaixForge the columns that are new, with their defaults."""
    known = {one["name"] for one in inspect(engine).get_columns(Job.__tablename__)}
    for column in Job.__table__.columns:
        if column.name not in known:
            kind = column.type.compile(engine.dialect)
            line = f"ALTER TABLE {Job.__tablename__} ADD COLUMN {column.name} {kind}"
            try:
                with engine.begin() as connection:
                    connection.exec_driver_sql(line + _default(column))
            except OperationalError as error:  # another process was quicker
                if "duplicate column" not in str(error):
                    raise


def _default(column: Any) -> str:
    """Return what a new column says of the rows that exist, as SQL."""
    if column.nullable:
        return ""
    value = getattr(column.default, "arg", None)
    if callable(value):  # an empty dict or list
        value = json.dumps(value(None))
    text = str(int(value)) if isinstance(value, bool) else str(value).replace("'", "''")
    return f" NOT NULL DEFAULT '{text}'"


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def pragmas(connection: Any, _record: object) -> None:
        for line in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {line}")

    return engine
