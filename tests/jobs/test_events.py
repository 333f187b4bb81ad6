from host.jobs import events


def messages(tail):
    return [(number, event["message"]) for number, event in tail.read()]


def test_a_tail_reads_each_event_once(tmp_path):
    tail = events.Tail(tmp_path)
    assert messages(tail) == []
    events.append(tmp_path, {"message": "a"})
    events.append(tmp_path, {"message": "b"})
    assert messages(tail) == [(1, "a"), (2, "b")]
    events.append(tmp_path, {"message": "c"})
    assert messages(tail) == [(3, "c")]


def test_a_late_reader_goes_on_after_its_last_id(tmp_path):
    for name in "abc":
        events.append(tmp_path, {"message": name})
    assert messages(events.Tail(tmp_path, after=2)) == [(3, "c")]


def test_a_half_line_waits_and_a_mended_one_is_passed_over(tmp_path):
    tail = events.Tail(tmp_path)
    (tmp_path / events.NAME).write_bytes(b'{"message": "a"}\n{"mess')
    assert messages(tail) == [(1, "a")]
    events.mend(tmp_path)
    events.append(tmp_path, {"message": "c"})
    assert messages(tail) == [(3, "c")]


def test_a_writer_leaves_out_what_only_counts(tmp_path):
    write = events.Writer(tmp_path)
    for _ in range(500):
        write({"step": "check", "message": "check"})
    for loss in (3.0, 2.0):
        write({"step": "train", "message": "train_head", "values": {"loss": loss}})
    found = messages(events.Tail(tmp_path))
    assert [name for _, name in found][-3:] == ["check", "train_head", "train_head"]
    assert len(found) < 20


def test_numbers_that_json_lacks_are_left_out(tmp_path):
    values = {"loss": float("nan"), "accuracy": None, "epoch": 2, "stage": "head"}
    events.append(tmp_path, {"message": "epoch", "values": values})
    [(_, event)] = events.Tail(tmp_path).read()
    assert event.get("values") == {"epoch": 2, "stage": "head"}
