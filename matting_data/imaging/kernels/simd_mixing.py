"""Weighted sums of four values, many at a time: the inner loops of :mod:`matting_data.imaging.kernels.resample`.

Both loops multiply 16-bit values by 16-bit weights and add up 32 bits. Processors have an instruction for just that,
which numba's compiler does not find in plain loops, so the steps are given to it as operations on vectors. Where the
instruction is missing, LLVM makes the same sums of others; all are exact, so the bytes are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import cgutils, config, types
from numba.extending import intrinsic

PIXELS = 2
"""Pixels that :func:`mix_pixels` makes; it also overwrites two values after them."""

VALUES = 32
"""Values that :func:`mix_values` makes."""

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_Codegen = Callable[..., Any]


def _mix_pixels(
    _context: Any, line: Any, first: Any, weights: Any, out: Any, at: Any, rounding: Any, shift: Any
) -> tuple[Any, _Codegen]:

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _Arrays(context, builder, signature, args)
        sums = [_sums_of_pixel(builder, data, builder.add(args[4], _I64(pixel))) for pixel in range(PIXELS)]
        # red and green of both pixels, then their blue beside sums that mean nothing
        even = builder.shuffle_vector(*sums, _places([0, 2, 8, 10, 4, 6, 12, 14]))
        odd = builder.shuffle_vector(*sums, _places([1, 3, 9, 11, 5, 7, 13, 15]))
        total = _shifted(builder, builder.add(even, odd), args[5], args[6])
        narrow = builder.trunc(total, ir.VectorType(_I16, 8))
        pixels = builder.shuffle_vector(narrow, narrow, _places([0, 1, 4, 2, 3, 6, 7, 7]))
        builder.store(pixels, data.vector(3, builder.mul(args[4], _I64(3)), pixels.type), align=2)
        return context.get_dummy_value()

    return types.void(line, first, weights, out, types.int64, types.int32, types.int32), generate


mix_pixels: Any = intrinsic(_mix_pixels)
"""Make pixels `at` and `at` + 1 of `out`: ``(rounding + sum of 4 weighted neighbours) >> shift``, per channel.

`line` (uint8, three a pixel, 4 readable beyond the last) holds the neighbours from byte ``first[at]`` (int32) on,
`weights` (N×4 int16) weighs them, `out` is int16, three a pixel. Contiguous arrays; nothing is checked.
"""


def _mix_values(
    _context: Any, a: Any, b: Any, c: Any, d: Any, weights: Any, out: Any, at: Any, rounding: Any, shift: Any
) -> tuple[Any, _Codegen]:

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _Arrays(context, builder, signature, args)
        half, whole = ir.VectorType(_I16, 16), ir.VectorType(_I32, VALUES)
        one, two, three, four = (builder.load(builder.gep(data[4], [_I64(tap)])) for tap in range(4))
        upper, lower = _alternating(builder, one, two), _alternating(builder, three, four)
        halves = []
        for start in (0, 16):
            place = builder.add(args[6], _I64(start))
            rows = [builder.load(data.vector(row, place, half), align=2) for row in range(4)]
            sums = []
            for first in (0, 4):  # values 0-3 and 8-11, then 4-7 and 12-15: each half of a register for itself
                pairs = _places(
                    x + row for x in (*range(first, first + 4), *range(first + 8, first + 12)) for row in (0, 16)
                )
                left = _pair_sums(builder, builder.shuffle_vector(rows[0], rows[1], pairs), upper)
                right = _pair_sums(builder, builder.shuffle_vector(rows[2], rows[3], pairs), lower)
                sums.append(_shifted(builder, builder.add(left, right), args[7], args[8]))
            order = [*range(4), *range(8, 12), *range(4, 8), *range(12, 16)]
            halves.append(builder.shuffle_vector(*sums, _places(order)))
        total = builder.shuffle_vector(*halves, _places(range(VALUES)))
        least, most = (ir.Constant(whole, [bound] * VALUES) for bound in (0, 255))
        total = builder.select(builder.icmp_signed("<", total, least), least, total)
        total = builder.select(builder.icmp_signed(">", total, most), most, total)
        values = builder.trunc(total, ir.VectorType(_I8, VALUES))
        builder.store(values, data.vector(5, args[6], values.type), align=1)
        return context.get_dummy_value()

    return types.void(a, b, c, d, weights, out, types.int64, types.int32, types.int32), generate


mix_values: Any = intrinsic(_mix_values)
"""Make 32 values of `out` from `at` on: ``(rounding + a, b, c, d weighted and added up) >> shift`` as uint8.

`a` to `d` and the 4 `weights` are int16, `out` is uint8, which takes 0 and 255 for what lies beyond. Contiguous
arrays; nothing is checked.
"""


class _Arrays:
    """Where the data of an intrinsic's array arguments lie."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self._context, self._builder, self._types, self._args = context, builder, signature.args, args

    def __getitem__(self, number: int) -> Any:
        return self._context.make_array(self._types[number])(self._context, self._builder, self._args[number]).data

    def vector(self, number: int, at: Any, kind: Any) -> Any:
        """Point to a vector that begins at element `at`."""
        return self._builder.bitcast(self._builder.gep(self[number], [at]), kind.as_pointer())


def _sums_of_pixel(builder: Any, data: _Arrays, pixel: Any) -> Any:
    """Compute eight 32-bit sums: two of red's products, two of green's, two of blue's, and two without meaning."""
    start = builder.load(builder.gep(data[1], [pixel]))
    line = builder.load(data.vector(0, start, ir.VectorType(_I8, 16)), align=1)
    by_channel = builder.shuffle_vector(line, line, _places([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, 12, 13, 14, 15]))
    weights = builder.load(data.vector(2, builder.mul(pixel, _I64(4)), ir.VectorType(_I16, 4)), align=2)
    repeated = builder.shuffle_vector(weights, weights, _places([0, 1, 2, 3] * 4))
    return _pair_sums(builder, builder.zext(by_channel, ir.VectorType(_I16, 16)), repeated)


def _pair_sums(builder: Any, values: Any, weights: Any) -> Any:
    """Compute 8 int32: the products of two vectors of 16 int16, every even one with its neighbour added."""
    result, taken = ir.VectorType(_I32, 8), ir.VectorType(_I16, 16)
    if _has_avx2():
        kind = ir.FunctionType(result, [taken, taken])
        instruction = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pmadd.wd")
        return builder.call(instruction, [values, weights])
    products = []
    for first in (0, 1):
        places = _places(range(first, 16, 2))
        factors = (builder.sext(builder.shuffle_vector(v, v, places), result) for v in (values, weights))
        products.append(builder.mul(*factors))
    return builder.add(*products)


def _has_avx2() -> bool:
    """Tell whether code is compiled for a processor with AVX2: this one's, unless numba is told another."""
    named = getattr(config, "CPU_NAME", None) or getattr(config, "CPU_FEATURES", None)
    return not named and bool(llvmlite.binding.get_host_cpu_features().get("avx2"))


def _shifted(builder: Any, total: Any, rounding: Any, shift: Any) -> Any:
    return builder.ashr(builder.add(total, _filled(builder, rounding)), _filled(builder, shift))


def _filled(builder: Any, value: Any) -> Any:
    """Make a vector of 8 times `value`."""
    kind = ir.VectorType(value.type, 8)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(single, single, _places([0] * 8))


def _alternating(builder: Any, even: Any, odd: Any) -> Any:
    """Make a vector of 16 values, in turns `even` and `odd`."""
    kind = ir.VectorType(even.type, 16)
    pair = builder.insert_element(ir.Constant(kind, ir.Undefined), even, _I32(0))
    pair = builder.insert_element(pair, odd, _I32(1))
    return builder.shuffle_vector(pair, pair, _places([0, 1] * 8))


def _places(numbers: Iterable[int]) -> Any:
    mask = list(numbers)
    return ir.Constant(ir.VectorType(_I32, len(mask)), mask)
