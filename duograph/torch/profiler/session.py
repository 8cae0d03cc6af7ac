"""`profile`: when to record, and what to do with what was recorded."""

from __future__ import annotations

import contextlib
import enum
import functools
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from ...graph.errors import ArgumentError, NotSupported
from . import recording
from .events import EventList, made, write_chrome_trace
from .recording import Recorder


class ProfilerActivity(enum.Enum):
    """What can be watched: here the CPU."""

    CPU, XPU, MTIA, CUDA, HPU, PrivateUse1 = range(6)


class ProfilerAction(enum.Enum):
    """What a profiler does in one step."""

    NONE, WARMUP, RECORD, RECORD_AND_SAVE, DEVICE_STOPPED = range(5)


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """The CPU."""
    return {ProfilerActivity.CPU}


def kineto_available() -> bool:
    """False: what is measured here is measured by Duograph itself."""
    return False


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """What to do in which step: skip the first ones, then wait, warm up and record, again and again or `repeat` times.

    With `skip_first_wait` (not 0) the first cycle does not wait. Raises AssertionError for negative numbers.
    """
    numbers = {"wait": wait, "warmup": warmup, "repeat": repeat, "skip_first": skip_first}
    if min(numbers.values()) < 0 or active <= 0:
        raise AssertionError(
            f"schedule: expected numbers of 0 or more, and active above 0. Received: {numbers}, {active}"
        )
    cycle = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"schedule: expected a step of 0 or more. Received: {step}")
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        if repeat and step // cycle >= repeat:
            return ProfilerAction.NONE
        place = step % cycle
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if place == cycle - 1 else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False, use_python_export: bool = False
) -> Callable[[profile], None]:
    """An `on_trace_ready` that writes each trace to a folder, for TensorBoard and chrome://tracing."""

    def write(session: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        ending = ".pt.trace.json.gz" if use_gzip else ".pt.trace.json"
        session.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}{ending}"))

    return write


class record_function(contextlib.ContextDecorator):
    """A block with a name in the profile. While one is made, all that the block recorded is computed at its end."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._event: Any = None

    def __enter__(self) -> record_function:
        recorder = recording.active
        self._event = None if recorder is None else (recorder, recorder.enter(self.name))
        return self

    def __exit__(self, *_: object) -> None:
        entered, self._event = self._event, None
        if entered is not None:
            recorder, event = entered
            recorder.leave(event)

    def __call__(self, function: Any) -> Any:
        name = self.name

        @functools.wraps(function)
        def named(*args: Any, **kwargs: Any) -> Any:
            with record_function(name):
                return function(*args, **kwargs)

        return named


class profile:
    """Measure what a program computes.

        with profile(activities=[ProfilerActivity.CPU]) as prof:
            with record_function("forward"):
                model(x)
        print(prof.key_averages().table(sort_by="self_cpu_time_total", row_limit=10))

    Its events are the blocks of `record_function`, the runs of plans and the kernels of each; what is pending is
    computed at the borders of blocks, so that its time is theirs. A plan's kernels are timed alone once, and the time
    of each run is shared out among them accordingly. Until a plan is compiled, it has no kernels.

    Args:
        activities: The CPU alone can be watched: another raises NotSupported, if it is the only one.
        schedule: Which `ProfilerAction` each step has, a step ending with `step()`; without it all is recorded.
        on_trace_ready: Called with the profile when a cycle of the schedule ends, or the block.
        record_shapes, profile_memory, with_stack, with_flops: Show shapes, the bytes of outputs, the user's lines and
            floating point operations in tables.
    """

    def __init__(
        self, *, activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None, on_trace_ready: Callable[..., Any] | None = None,
        record_shapes: bool = False, profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False,
        with_modules: bool = False, experimental_config: Any = None, execution_trace_observer: Any = None,
        acc_events: bool = False, use_cuda: bool | None = None, custom_trace_id_callback: Any = None,
        post_processing_timeout_s: float | None = None,
    ) -> None:  # fmt: skip
        wanted = supported_activities() if activities is None else set(activities)
        if not wanted & supported_activities():
            raise NotSupported(f"profile: the CPU alone can be watched. Received: {sorted(a.name for a in wanted)}")
        self._schedule = schedule
        self._ready = on_trace_ready
        self._shapes, self._stack = record_shapes, with_stack
        self._shown = {"profile_memory": profile_memory, "with_flops": with_flops}
        self._keeps_all = acc_events
        self._metadata: dict[str, Any] = {}
        self._recorder: Recorder | None = None
        self._block: record_function | None = None
        self._events: list[Any] | None = None
        self.step_num = 0
        self.current_action = self._action()

    def _action(self) -> ProfilerAction:
        return ProfilerAction.RECORD if self._schedule is None else self._schedule(self.step_num)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, as the schedule says."""
        self._go()

    def stop(self) -> None:
        """End; what was recorded until now is given to `on_trace_ready`."""
        if self._recorder is not None:
            warming = self.current_action is ProfilerAction.WARMUP
            self._end()
            if self._ready is not None and not warming:
                self._ready(self)
        self.current_action = ProfilerAction.NONE

    def step(self) -> None:
        """The next step of the schedule begins."""
        last = self.current_action
        self.step_num += 1
        self.current_action = now = self._action()
        self._leave_step()
        if last is ProfilerAction.WARMUP and self._recorder is not None:
            self._recorder.events.clear()
        elif self._recorder is not None and (last is ProfilerAction.RECORD_AND_SAVE or now not in _RECORDING):
            self._end()
            if self._ready is not None and last is ProfilerAction.RECORD_AND_SAVE:
                self._ready(self)
        self._go()

    def _go(self) -> None:
        if self.current_action in (ProfilerAction.NONE, ProfilerAction.DEVICE_STOPPED):
            return
        if self._recorder is None:  # while warming up too: blocks cut plans, which are to be compiled by then
            if recording.active is not None:
                raise ArgumentError("profile: expected no other profile. Received: one is being made already")
            self._recorder = recording.active = Recorder()
            self._recorder.start()
        if self._schedule is not None:
            self._block = record_function(f"ProfilerStep#{self.step_num}").__enter__()

    def _end(self) -> None:
        assert self._recorder is not None
        recorder, self._recorder = self._recorder, None
        try:
            self._leave_step()
        finally:
            recording.active = None
            recorder.stop()
        found = recorder.events
        for event in found:
            event.shapes = event.shapes if self._shapes else []
            event.line = event.line if self._stack else ""
        self._events = [*((self._events or []) if self._keeps_all else []), *made(found)]

    def _leave_step(self) -> None:
        block, self._block = self._block, None
        if block is not None:
            block.__exit__()

    def events(self) -> EventList:
        """All events. Raises AssertionError before there are any."""
        if self._events is None:
            raise AssertionError("profile: nothing was recorded yet: start(), and stop() or leave the block")
        return EventList(self._events, **self._shown)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, group_by_overload_name: bool = False
    ) -> EventList:
        """The sums of events by name: see `EventList.key_averages`."""
        return self.events().key_averages(group_by_input_shape, group_by_stack_n)

    def export_chrome_trace(self, path: str) -> None:
        """Write the events in the format of chrome://tracing and Perfetto."""
        write_chrome_trace(self.events(), path, self._metadata)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write a time in microseconds for each of the user's lines, as flame graphs read them. Needs `with_stack`."""
        if not self._stack:
            raise ArgumentError("export_stacks: expected a profile with with_stack=True")
        if metric not in ("self_cpu_time_total", "self_cuda_time_total", "self_device_time_total"):
            raise ArgumentError(f"export_stacks: metric: expected self_cpu_time_total. Received: {metric!r}")
        with open(path, "w", encoding="utf-8") as file:
            for event in self.events():
                if event.stack and int(getattr(event, metric)):
                    file.write(f"{event.stack[0].replace(' ', '_')};{event.name} {int(getattr(event, metric))}\n")

    def add_metadata(self, key: str, value: str) -> None:
        """A text that goes into the trace file."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """A value in JSON that goes into the trace file."""
        self._metadata[key] = json.loads(value)

    preset_metadata_json = add_metadata_json


class LegacyProfile(profile):
    """`torch.autograd.profiler.profile`: the older form, which records all of a block.

    Raises NotSupported for another device than the CPU.
    """

    def __init__(
        self, enabled: bool = True, *, use_cuda: bool = False, use_device: str | None = None,
        record_shapes: bool = False, with_flops: bool = False, profile_memory: bool = False, with_stack: bool = False,
        with_modules: bool = False, use_kineto: bool = False, use_cpu: bool = True, **_: Any,
    ) -> None:  # fmt: skip
        if use_cuda or use_device not in (None, "cpu"):
            raise NotSupported(f"profile: the CPU alone can be watched. Received: use_device={use_device or 'cuda'!r}")
        super().__init__(
            record_shapes=record_shapes, with_flops=with_flops, profile_memory=profile_memory, with_stack=with_stack
        )
        self.enabled = enabled

    def __enter__(self) -> LegacyProfile:
        if self.enabled:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.enabled:
            self.stop()

    @property
    def function_events(self) -> EventList:
        """All events."""
        return self.events()

    @property
    def self_cpu_time_total(self) -> float:
        """The sum of what the events took themselves, in microseconds."""
        return self.events().self_cpu_time_total

    def table(self, *arguments: Any, **keywords: Any) -> str:
        """`EventList.table` of all events."""
        return self.events().table(*arguments, **keywords)

    def total_average(self) -> Any:
        """The sum of all events."""
        return self.events().total_average()

    def __str__(self) -> str:
        return "<unfinished profile>" if self._events is None else str(self.events())

    __repr__ = __str__
