"""A queue that no client has to itself."""

from __future__ import annotations

from impasto_server.fast.fair_queue import FairQueue


def drained(queue: FairQueue[str], most: int = 1) -> list[list[str]]:
    batches = []
    while batch := queue.take(most):
        batches.append(batch)
    return batches


def filled(*items: tuple[str, str], cost: float = 1.0, group: str = "g") -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue()
    for item, client in items:
        queue.put(item, client=client, cost=cost, group=group)
    return queue


def test_one_clients_items_keep_their_order() -> None:
    assert drained(filled(("a", "x"), ("b", "x"), ("c", "x"))) == [["a"], ["b"], ["c"]]


def test_a_newcomer_goes_before_the_rest_of_a_flood() -> None:
    queue = filled(*((f"flood {k}", "flooder") for k in range(10)))
    queue.take()

    queue.put("one", client="newcomer", cost=1, group="g")

    assert "one" in [queue.take()[0] for _ in range(2)]


def test_two_floods_take_turns() -> None:
    queue = filled(*((f"a{k}", "a") for k in range(3)), *((f"b{k}", "b") for k in range(3)))

    assert drained(queue) == [["a0"], ["b0"], ["a1"], ["b1"], ["a2"], ["b2"]]


def test_a_client_of_large_items_gets_fewer_of_them() -> None:
    queue: FairQueue[str] = FairQueue()
    for k in range(2):
        queue.put(f"large {k}", client="a", cost=4, group="g")
    for k in range(4):
        queue.put(f"small {k}", client="b", cost=1, group="g")

    order = [item for (item,) in drained(queue)]

    assert order.index("large 1") > order.index("small 3")


def test_who_was_served_long_ago_has_nothing_saved_up() -> None:
    queue = filled(*((f"a{k}", "a") for k in range(100)))
    drained(queue)

    queue.put("a", client="a", cost=1, group="g")
    queue.put("b", client="b", cost=1, group="g")
    queue.put("a again", client="a", cost=1, group="g")

    assert drained(queue) == [["a"], ["b"], ["a again"]]


def test_items_of_the_firsts_group_are_taken_with_it_in_their_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for item, client, group in [("a", "x", "g"), ("b", "x", "h"), ("c", "y", "g"), ("d", "z", "g"), ("e", "x", "g")]:
        queue.put(item, client=client, cost=1, group=group)

    assert drained(queue, most=3) == [["a", "c", "d"], ["b"], ["e"]]


def test_what_has_been_removed_is_not_taken() -> None:
    queue = filled(("a", "x"), ("b", "x"), ("c", "x"))

    assert queue.remove("a")
    assert queue.remove("b")
    assert not queue.remove("b")

    assert queue.first() == "c"
    assert drained(queue) == [["c"]]
    assert len(queue) == 0
    assert queue.first() is None


def test_it_tells_what_goes_before_a_clients_next() -> None:
    queue = filled(("a", "x"), ("b", "x"), ("c", "x"), cost=2.0)

    assert queue.ahead("x") == ["a", "b", "c"]
    assert queue.ahead("y") == ["a"]  # which began to wait with it
