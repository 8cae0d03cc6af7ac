"""Reverse mode over nodes, and vector-Jacobian products of operations."""

from __future__ import annotations

import numpy as np
import pytest

from duograph.gradient import gradient, uses, vjp
from duograph.graph import language as lang
from duograph.graph.composite import composite
from duograph.graph.dtype import DType, float16, float32, float64, int64
from duograph.graph.errors import GradientError
from duograph.graph.node import PRIMITIVES, Node, Shape, make
from tests.primitive_tools import run


def parameter(position: int, shape: Shape = (), dtype: DType = float64) -> Node:
    return make(PRIMITIVES["input"], position=position, shape=shape, dtype=dtype)


def one(dtype: DType = float64) -> Node:
    return lang.full((), 1, dtype)


class TestGradient:
    def test_contributions_add_up(self) -> None:
        x = parameter(0)
        (dx,) = gradient([x * x + lang.sin(x)], [one()], [x])
        assert run((x,), [dx], [np.array(0.7)])[0] == pytest.approx(1.4 + np.cos(0.7), rel=1e-15)

    def test_several_outputs_some_without_cotangent(self) -> None:
        x, y = parameter(0), parameter(1)
        dx, dy = gradient([x * y, x * x, y], [one(), None, lang.full((), 3, float64)], [x, y])
        assert [float(v) for v in run((x, y), [dx, dy], [np.array(2.0), np.array(5.0)])] == [5, 5]

    def test_no_path_is_none(self) -> None:
        x, y = parameter(0), parameter(1)
        assert gradient([x * x], [one()], [x, y])[1] is None
        assert gradient([lang.floor(x)], [one()], [x]) == [None]
        assert gradient([lang.stop_gradient(x)], [one()], [x]) == [None]
        through_integers = lang.cast(lang.cast(x, int64), float64)
        assert gradient([through_integers], [one()], [x]) == [None]

    def test_interior_node_and_what_it_depends_on(self) -> None:
        x = parameter(0)
        y = lang.exp(x)
        dx, dy = gradient([y * y], [one()], [x, y])
        values = run((x,), [dx, dy], [np.array(0.5)])
        assert values[0] == pytest.approx(2 * np.exp(1), rel=1e-15)
        assert values[1] == pytest.approx(2 * np.exp(0.5), rel=1e-15)

    def test_an_output_is_its_own_input(self) -> None:
        x = parameter(0)
        seed = lang.full((), 3, float64)
        assert gradient([x], [seed], [x]) == [seed]

    def test_broadcast_axes_are_summed_away(self) -> None:
        x, y = parameter(0, (3, 1)), parameter(1, (2, 1, 4))
        dx, dy = gradient([x * y], [lang.full((2, 3, 4), 1, float64)], [x, y])
        assert dx is not None
        assert dx.shape == (3, 1)
        assert dy is not None
        assert dy.shape == (2, 1, 4)

    def test_dtype_of_the_input(self) -> None:
        x = parameter(0, (), float16)
        (dx,) = gradient([lang.cast(x, float32) * 2], [one(float32)], [x])
        assert dx is not None
        assert dx.dtype is float16

    def test_missing_rule_names_the_operation(self) -> None:
        x, y = parameter(0), parameter(1)
        z = lang.apply("nextafter", x, y)
        with pytest.raises(GradientError, match="nextafter has no gradient"):
            gradient([z], [one()], [x])
        assert gradient([lang.stop_gradient(z) * x], [one()], [x]) != [None]

    def test_missing_rule_off_the_way_does_not_matter(self) -> None:
        x, y = parameter(0), parameter(1)
        z = lang.apply("nextafter", x, x) + y
        assert gradient([z], [one()], [y]) == [one()]

    def test_any_order(self) -> None:
        x = parameter(0)
        y = lang.sin(x)
        derivatives = []
        for _ in range(4):
            (y,) = gradient([y], [one()], [x])
            assert y is not None
            derivatives.append(y)
        got = run((x,), derivatives, [np.array(0.3)])
        np.testing.assert_allclose(got, [np.cos(0.3), -np.sin(0.3), -np.cos(0.3), np.sin(0.3)], rtol=1e-15)

    def test_deep_graphs_need_no_recursion(self) -> None:
        x = y = parameter(0)
        for _ in range(5000):
            y = y * 0.9999 + x
        (dx,) = gradient([y], [one()], [x])
        total = sum(0.9999**k for k in range(5000)) + 0.9999**5000
        assert run((x,), [dx], [np.array(1.0)])[0] == pytest.approx(total, rel=1e-11)


@composite
def scaled(x: Node, scale: Node | None, *, power: int) -> tuple[Node, Node]:
    y = lang.power(x, float(power))
    return (y if scale is None else y * scale), lang.sum(x)


class TestVectorJacobianProduct:
    def test_of_a_primitive(self) -> None:
        x, y, dz = (parameter(k) for k in range(3))
        product = vjp(PRIMITIVES["multiply"], (True, True), (True,))
        assert product.name == "multiply_vjp"
        dx, dy = product.build((x, y, dz), ())
        assert (dx, dy) == (dz * y, dz * x)

    def test_is_one_object(self) -> None:
        exp = PRIMITIVES["exp"]
        assert vjp(exp, (True,), (True,)) is vjp(exp, (True,), (True,))

    def test_one_node_in_two_places_is_two_inputs(self) -> None:
        x, dy = parameter(0), parameter(1)
        first, second = vjp(PRIMITIVES["multiply"], (True, True), (True,)).build((x, x, dy), ())
        assert first == second == dy * x

    def test_an_input_that_depends_on_another_is_independent(self) -> None:
        x, dz = parameter(0), parameter(1)
        y = lang.exp(x)
        dx, dy = vjp(PRIMITIVES["multiply"], (True, True), (True,)).build((x, y, dz), ())
        assert (dx, dy) == (dz * y, dz * x)

    def test_inputs_that_look_like_stand_ins(self) -> None:
        """Inputs of other positions than the product's own."""
        x, y, dz = parameter(2), parameter(0), parameter(1)
        assert vjp(PRIMITIVES["multiply"], (True, True), (True,)).build((x, y, dz), ()) == (dz * y, dz * x)

    def test_absent_inputs_and_outputs_without_cotangent(self) -> None:
        x, dy = parameter(0, (3,)), parameter(1, (3,))
        (dx,) = vjp(scaled, (True, False), (True, False)).build((x, None, dy), (("power", 2),))
        assert run((x, dy), [dx], [np.array([1.0, 2, 3]), np.ones(3)])[0].tolist() == [2, 4, 6]

    def test_no_path_gives_zeros(self) -> None:
        x, scale, dt = parameter(0, (3,)), parameter(1, (3,)), parameter(2)
        dx, dscale = vjp(scaled, (True, True), (False, True)).build((x, scale, dt), (("power", 2),))
        got = run((x, scale, dt), [dx, dscale], [np.ones(3), np.ones(3), np.array(4.0)])
        assert [g.tolist() for g in got] == [[4, 4, 4], [0, 0, 0]]

    def test_attributes_that_are_equal_but_not_the_same(self) -> None:
        @composite
        def add_number(x: Node, *, number: float) -> Node:
            return x * (2 if isinstance(number, bool) else 3)

        product = vjp(add_number, (True,), (True,))
        x, dy = parameter(0), parameter(1)
        assert product.build((x, dy), (("number", True),)) == (dy * 2,)
        assert product.build((x, dy), (("number", 1),)) == (dy * 3,)

    def test_of_itself(self) -> None:
        x, dy, ddx = (parameter(k) for k in range(3))
        product = vjp(PRIMITIVES["sin"], (True,), (True,))
        twice = vjp(product, (True, True), (True,))
        assert twice.name == "sin_vjp_vjp"
        values = run((x, dy, ddx), list(twice.build((x, dy, ddx), ())), [np.array(v) for v in (0.3, 2.0, 5.0)])
        np.testing.assert_allclose(values, [-np.sin(0.3) * 10, np.cos(0.3) * 5], rtol=1e-15)

    @pytest.mark.parametrize(
        ("name", "needed", "inputs", "outputs"),
        [
            ("add", (True, True), {2}, set()),  # only the cotangent
            ("multiply", (True, True), {0, 1, 2}, set()),
            ("multiply", (True, False), {1, 2}, set()),
            ("exp", (True,), {1}, {0}),  # written with the output
            ("sin", (True,), {0, 1}, set()),
            ("divide", (True, False), {1, 2}, set()),
            ("divide", (False, True), {0, 1, 2}, set()),
        ],
    )
    def test_uses(self, name: str, needed: tuple[bool, ...], inputs: set[int], outputs: set[int]) -> None:
        """Which values must not be overwritten before the gradient is taken."""
        signature = (((3,), float32),) * (len(needed) + 1)
        assert uses(vjp(PRIMITIVES[name], needed, (True,)), (), signature) == (inputs, outputs)

    def test_shapes_alone_are_no_use(self) -> None:
        product = vjp(PRIMITIVES["sum"], (True,), (True,))
        assert uses(product, (("axes", (0,)),), (((3, 4), float32), ((4,), float32))) == ({1}, set())
