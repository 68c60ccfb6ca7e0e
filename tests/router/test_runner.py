"""The runner's threads: they work, they end, they say what went wrong."""

import itertools
import threading
import time

import pytest

from tensorfleet.router.messages import Prefetch, Request, Revision
from tensorfleet.router.router import Router
from tensorfleet.router.runner import Runner
from tests.router.beliefs import KEY, report

MILLISECOND = 1_000_000
PATIENCE = 10  # seconds until a test that waits in vain gives up


pytestmark = pytest.mark.host


class OneAtATime(Router):
    """A router that notices when two threads are inside of it, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.inside = 0
        self.collisions = 0
        self.calls = 0
        self.stepped = threading.Event()
        self.published = []

    def enter(self):
        self.inside += 1
        self.calls += 1
        time.sleep(0)  # lets another thread run
        self.collisions += self.inside != 1
        self.inside -= 1

    def route(self, request, now):
        self.enter()
        return super().route(request, now)

    def finish(self, request, now, *, ok=True, output_tokens=0):
        self.enter()
        super().finish(request, now, ok=ok, output_tokens=output_tokens)

    def observe(self, report, now):
        self.enter()
        super().observe(report, now)

    def publish(self, key, revision, now):
        self.enter()
        self.published.append((key, revision, now))
        super().publish(key, revision, now)

    def step(self, now):
        self.enter()
        self.stepped.set()
        return super().step(now)


def runner_of(router, execute=print, read_hub=tuple, **options):
    ticks = itertools.count(1)
    return Runner(
        router,
        execute,
        read_hub,
        step_period_ns=MILLISECOND,
        hub_period_ns=MILLISECOND,
        clock=lambda: next(ticks),
        **options,
    )


def test_many_threads_route_and_finish_while_the_loops_run():
    router = OneAtATime()
    revision = Revision("r1", 1)
    runner = runner_of(router, read_hub=lambda: [(KEY, revision)])
    for name in ("x", "y"):
        runner.join(name, model="m")

    def client(first):
        for number in range(first, first + 50):
            request = Request(id=number, key=KEY, prompt_tokens=10)
            assert runner.route(request).instance in ("x", "y")
            runner.observe(report("x", number))
            runner.finish(request, output_tokens=5)

    with runner:
        clients = [threading.Thread(target=client, args=(50 * n,)) for n in range(4)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        assert router.stepped.wait(PATIENCE)
    assert router.calls > 4 * 50 * 3
    assert router.collisions == 0
    assert not router.sent
    beliefs = router.members.instances.values()
    assert [belief.num_requests for belief in beliefs] == [0, 0]


def test_actions_are_carried_out_while_the_lock_is_free():
    class Asking(OneAtATime):
        def step(self, now):
            return [Prefetch("x", KEY, 1)]

    done = threading.Event()
    executed = []

    def execute(action):
        runner.observe(report("x", 1))  # would wait for ever if the lock were held
        executed.append(action)
        done.set()

    runner = runner_of(Asking(), execute)
    with runner:
        assert done.wait(PATIENCE)
        assert runner.healthy
    assert executed[0] == Prefetch("x", KEY, 1)


def test_the_hub_is_read_and_published_with_the_runners_clock():
    router = OneAtATime()
    seen = threading.Event()

    def read_hub():
        if router.published:
            seen.set()
        return [(KEY, Revision("r3", 3))]

    with runner_of(router, read_hub=read_hub):
        assert seen.wait(PATIENCE)
    key, revision, now = router.published[0]
    assert (key, revision) == (KEY, Revision("r3", 3))
    assert isinstance(now, int)
    assert router.revisions.generation(KEY) == 3


@pytest.mark.parametrize("where", ["execute", "read_hub", "step"])
def test_an_exception_in_a_thread_ends_both_and_comes_out_of_stop(where):
    class Asking(OneAtATime):
        def step(self, now):
            if where == "step":
                raise OSError("broken")
            return [Prefetch("x", KEY, 1)]

    def fail(*_):
        raise OSError("broken")

    runner = runner_of(
        Asking(),
        execute=fail if where == "execute" else lambda action: None,
        read_hub=fail if where == "read_hub" else tuple,
    )
    others = set(threading.enumerate())
    runner.start()
    loops = set(threading.enumerate()) - others
    until = time.monotonic() + PATIENCE
    while runner.healthy and time.monotonic() < until:
        time.sleep(0.001)
    assert not runner.healthy
    for thread in loops:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    runner.join("x", model="m")
    request = Request(id=1, key=KEY, prompt_tokens=10)
    assert runner.route(request).instance == "x"  # requests are served all the same
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            runner.stop()


def test_what_fails_in_the_with_statement_is_not_hidden_by_what_fails_in_a_thread():
    def fail():
        raise OSError("broken")

    runner = runner_of(OneAtATime(), read_hub=fail)

    def use():
        with runner:
            while runner.healthy:
                time.sleep(0.001)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        use()
    with pytest.raises(OSError, match="broken"):
        runner.stop()


def test_stop_ends_the_threads_at_once_and_may_be_called_again():
    router = OneAtATime()
    runner = Runner(router, print, tuple, step_period_ns=3_600 * 10**9)
    runner.stop()  # nothing to stop yet
    runner = Runner(router, print, tuple, step_period_ns=3_600 * 10**9)
    assert not runner.healthy
    runner.start()
    assert router.stepped.wait(PATIENCE)
    assert runner.healthy
    began = time.monotonic()
    runner.stop()
    runner.stop()
    assert time.monotonic() - began < PATIENCE  # and not an hour
    assert not runner.healthy
    calls = router.calls
    time.sleep(0.005)
    assert router.calls == calls


def test_a_runner_starts_once():
    runner = runner_of(OneAtATime())
    with runner, pytest.raises(RuntimeError):
        runner.start()


@pytest.mark.parametrize("name", ["step_period_ns", "hub_period_ns"])
def test_a_period_below_1_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        Runner(Router(), print, tuple, **{name: 0})
