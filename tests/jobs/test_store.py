from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from host.errors import UserError
from host.jobs.store import Store, new_id


def test_a_row_comes_back_with_utc_times(store, add_job):
    before = datetime.now(UTC) - timedelta(seconds=1)
    job = store.get(add_job("cards").id)
    assert (job.name, job.state, job.fraction) == ("cards", "checked", 0.0)
    assert job.created.tzinfo is UTC
    assert before < job.created < before + timedelta(seconds=30)


def test_ids_may_stand_in_urls_and_on_command_lines():
    ids = {new_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(one) == 11 and one.replace("_", "a").isalnum() for one in ids)


def test_the_journal_is_a_write_ahead_log(store):
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_rows_outlive_the_process(store, settings, add_job):
    job_id = add_job().id
    store.update(job_id, options={"seed": 3})
    again = Store(settings.data)
    assert again.get(job_id).options == {"seed": 3}
    again.close()


def test_of_many_movers_one_wins(store, add_job):
    job_id = add_job().id
    won = []
    threads = [
        Thread(target=lambda: won.append(store.move(job_id, ("checked",), "queued")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_a_job_that_is_held_is_sent_only_afterwards(store, settings, add_job):
    """Another process is as good as another store here."""
    job_id, other, order = add_job().id, Store(settings.data), []

    def send():
        order.append(other.move(job_id, ("checked",), "queued"))

    sending = Thread(target=send)
    with store.held(job_id):
        sending.start()
        sending.join(0.3)
        assert store.get(job_id).state == "checked"  # reading needs not wait
        order.append("edited")
    sending.join(30)
    assert order == ["edited", True]
    with pytest.raises(UserError, match="job_state_wrong"), store.held(job_id):
        pass
    with pytest.raises(UserError, match="job_missing"), store.held("nobody"):
        pass
    assert other.move(job_id, ("queued",), "cancelled")  # nothing is held any more
    other.close()


def test_removing_takes_row_and_folder(store, add_job):
    job_id = add_job().id
    store.remove(job_id)
    assert not store.folder(job_id).exists()
    with pytest.raises(UserError, match="job_missing"):
        store.get(job_id)


def test_a_running_job_is_not_removed(store, add_job):
    job_id = add_job().id
    store.move(job_id, ("checked",), "running")
    with pytest.raises(UserError, match="job_state_wrong"):
        store.remove(job_id)
    assert store.folder(job_id).is_dir()


def test_sweep_removes_what_has_no_row(store, add_job):
    job_id = add_job().id
    store.folder("half-an-upload").mkdir()
    store.sweep()
    assert [one.name for one in store.jobs_folder.iterdir()] == [job_id]


def test_a_data_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(UserError, match="data_folder_unwritable"):
        Store(tmp_path / "data")


def test_a_table_of_an_older_maixforge_gets_the_new_columns(store, settings, add_job):
    job_id = add_job("old").id
    new = ("owner", "lease", "submitter", "turn", "kept", "findings")
    with store._engine.begin() as connection:
        for column in new:
            connection.exec_driver_sql(f"ALTER TABLE jobs DROP COLUMN {column}")
    store.close()
    again = Store(settings.data)
    job = again.get(job_id)
    assert (job.name, job.owner, job.lease, job.submitter) == ("old", "", None, "")
    assert (job.turn, job.kept, job.findings) == (0, False, [])
    assert again.add("another", "new").kept is False
    again.close()
