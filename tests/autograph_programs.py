"""Functions with control flow over tensors, which the tests run here and the comparisons in TensorFlow as well.

Each is a function, arguments of calls that have one signature and take different ways through it, whether gradients
with respect to its float arguments are compared, and whether it is one that TensorFlow does not convert.
"""

# ruff: noqa: SIM108, E731, FURB136 (the forms that users write are what is tested)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

ROWS = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 1.0, 0.5], [0.1, 0.2, 0.3]], np.float32)


class Program(NamedTuple):
    function: Callable[..., Any]
    calls: list[tuple[Any, ...]]
    differentiable: bool = False
    only_here: bool = False


def programs(tf: Any) -> dict[str, Program]:
    """The table, in TensorFlow or here."""
    f32, i32 = np.float32, np.int32

    def collatz(n):
        steps = tf.constant(0)
        while n != 1:
            if n % 2 == 0:
                n = n // 2
            else:
                n = 3 * n + 1
            steps += 1
        return steps

    def newton(x, tolerance):
        y = x
        turns = 0
        while tf.abs(y * y - x) > tolerance:
            y = 0.5 * (y + x / y)
            turns += 1
        return y, turns

    def fizzbuzz(n):
        counts = tf.zeros([4], tf.int32)
        for i in tf.range(1, n + 1):
            if i % 3 == 0 and i % 5 == 0:
                kind = 3
            elif i % 3 == 0:
                kind = 1
            elif i % 5 == 0:
                kind = 2
            else:
                kind = 0
            counts += tf.one_hot(kind, 4, dtype=tf.int32)
        return counts

    def dynamic_rnn(rows, w, length):
        states = tf.TensorArray(tf.float32, size=4, element_shape=[3])
        state = tf.zeros([3])
        i = 0
        while i < length:
            state = tf.tanh(tf.linalg.matvec(w, state) + rows[i])
            states = states.write(i, state)
            i += 1
        for k in tf.range(length, 4):
            states = states.write(k, tf.zeros([3]))
        return states.stack(), state

    def early_return(x):
        if x > 10.0:
            return x * 2.0
        if x < 0.0:
            if x < -10.0:
                return x * x
            return -x
        y = x + 1.0
        return y * y

    def return_from_loop(rows, bound):
        for row in rows:
            if tf.reduce_sum(row) > bound:
                return row * 2.0
        return tf.zeros([3])

    def break_and_continue(rows, bound):
        total = 0.0
        turns = 0
        for i in tf.range(4):
            if rows[i, 0] < 0.0:
                continue
            total += tf.reduce_sum(rows[i] * rows[i])
            if total > bound:
                break
            turns += 1
        return total, turns

    def nested(n, x):
        total = x * 0.0
        for i in tf.range(n):
            for j in tf.range(i + 1):
                if (i + j) % 2 == 0:
                    total += x * tf.cast(j, tf.float32)
                else:
                    total -= x * x
        return total

    def gcd(a, b):
        while b != 0:
            a, b = b, a % b
        return a

    def beam(scores, steps):
        best = tf.zeros([2])
        length = tf.zeros([2], tf.int32)
        going = tf.constant(True)
        step = 0
        while going and step < steps:
            both = tf.reshape(best[:, None] + scores[step][None, :], [-1])
            best, places = tf.math.top_k(both, 2)
            length += tf.cast(places % 3 != 0, tf.int32)
            step += 1
            going = tf.reduce_max(best) < 4.0
        return best, length, step

    def conditional_expressions(x, y):
        a = x if x > y else y
        b = (x > 0.0 and y > 0.0) or not x < y
        c = -1.0 < x < 1.0
        return a * a, b, c

    def helper(x):
        if x > 1.0:
            return tf.sqrt(x)
        return x * x

    def with_helper(x):
        double = lambda z: z * 2.0 if z > 0.5 else z * 3.0
        return helper(x) + double(x)

    def loop_with_else(n, stop):
        found = -1
        i = 0
        while i < n:
            if i * i == stop:
                found = i
                break
            i += 1
        else:
            found = -2
        return found

    def structures(n, x):
        state = {"sum": x * 0.0, "last": (x, 0)}
        for i in tf.range(n):
            _, count = state["last"]
            state = {"sum": state["sum"] + x * tf.cast(i, tf.float32), "last": (x * 2.0, count + i)}
        return state["sum"], state["last"][0], state["last"][1]

    def python_values(x, flag):
        if flag:
            x = x + 1.0
        for k in range(3):
            if k == 1:
                continue
            x = x * 2.0
        values = [x * float(k) for k in range(2)]
        while len(values) < 4:
            values.append(values[-1] + 1.0)
        return tf.stack(values)

    def temporaries(x):
        scratch = 1
        if x > 0.0:
            scratch = x * 2.0
            y = scratch + 1.0
        else:
            scratch = "text"
            y = x
        scratch = 3
        return y * scratch

    def powers(x, n):
        y = tf.ones_like(x)
        for _ in tf.range(n):
            y *= x
        return y

    def while_loop(x, n):
        i, y = tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * x), (0, tf.ones_like(x)))
        return y, i

    def cond(x):
        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: (tf.sin(x), x * 2.0), lambda: (x * x, -x))

    def switch(i, x):
        return tf.switch_case(i, [lambda: x, lambda: x * x, lambda: tf.exp(x)])

    def cases(x):
        return tf.case([(x < 1.0, lambda: x * 3.0), (x < 2.0, lambda: x * x)], default=lambda: -x)

    def limited(x):
        return tf.while_loop(lambda y: y < 100.0, lambda y: (y * 2.0,), (x,), maximum_iterations=3)[0]

    weights = np.array([[0.1, 0.2, -0.3], [0.4, -0.5, 0.6], [0.2, 0.1, 0.3]], f32)
    return {
        "collatz": Program(collatz, [(i32(27),), (i32(6),), (i32(1),)]),
        "newton": Program(newton, [(f32(2.0), f32(1e-3)), (f32(9.0), f32(1e-3)), (f32(1.0), f32(1e-3))], True),
        "fizzbuzz": Program(fizzbuzz, [(i32(20),), (i32(0),)]),
        "dynamic rnn": Program(dynamic_rnn, [(ROWS, weights, i32(3)), (ROWS, weights, i32(4))], True),
        "early return": Program(early_return, [(f32(v),) for v in (12.0, 5.0, -3.0, -11.0)], True),
        "return from a loop": Program(
            return_from_loop, [(ROWS, f32(1.2)), (ROWS, f32(0.7)), (ROWS, f32(9.0))], True, True
        ),
        "break and continue": Program(break_and_continue, [(ROWS, f32(5.0)), (ROWS, f32(100.0))], True),
        "nested": Program(nested, [(i32(4), f32(0.7)), (i32(0), f32(0.7))], True),
        "gcd": Program(gcd, [(i32(48), i32(36)), (i32(17), i32(5))]),
        "beam": Program(beam, [(ROWS, i32(2)), (ROWS, i32(4)), (ROWS * 4, i32(4))]),
        "expressions": Program(
            conditional_expressions, [(f32(a), f32(b)) for a, b in ((1, 2), (2, 1), (-3, -1))], True
        ),
        "helpers": Program(with_helper, [(f32(4.0),), (f32(0.7),), (f32(0.2),)], True),
        "else": Program(loop_with_else, [(i32(6), i32(16)), (i32(6), i32(7))], only_here=True),
        "structures": Program(structures, [(i32(3), f32(1.5)), (i32(1), f32(1.5))], True),
        "python": Program(python_values, [(f32(3.0), True), (f32(-1.0), True)], True),
        "temporaries": Program(temporaries, [(f32(3.0),), (f32(-1.0),)], True),
        "powers": Program(powers, [(f32(1.5), i32(3)), (f32(1.5), i32(0))], True),
        "while_loop": Program(while_loop, [(f32(1.5), i32(3)), (f32(1.5), i32(0))], True),
        "cond": Program(cond, [(ROWS[0],), (-ROWS[0],)], True),
        "switch_case": Program(switch, [(i32(k), f32(0.5)) for k in (0, 1, 2, 5, -1)], True),
        "case": Program(cases, [(f32(v),) for v in (0.5, 1.5, 2.5)], True),
        "maximum_iterations": Program(limited, [(f32(1.0),), (f32(90.0),)], True),
    }
