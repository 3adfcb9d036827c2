"""IR texts that several tests read."""

# One module with every kind of type, attribute and region.
EVERYTHING = """\
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "shared", tc.name = "W"}, {}], function_type = (tensor<784x10xf32>, tensor<?x784xf32, #tc.dims<["B", 784]>>) -> tensor<f32>, sym_name = "loss"}> ({
  ^bb0(%W: tensor<784x10xf32>, %arg0: tensor<?x784xf32, #tc.dims<["B", 784]>>):
    %0 = "tc.matmul"(%arg0, %W) <{order = "fma"}> : (tensor<?x784xf32, #tc.dims<["B", 784]>>, tensor<784x10xf32>) -> tensor<?x10xf32, #tc.dims<["B", 10]>>
    %1 = "tc.constant"() <{value = dense<[0.1, 0x7FC00000, -0.0, 1.0e-10, 3.4028235e+38, 0x7F800000, 0xFF800000, 2.0, 3.0, 4.0]> : tensor<10xf32>}> : () -> tensor<10xf32>
    %bias = "tc.broadcast"(%1) <{axes = array<i64: 1>, shape = #tc.dims<["B", 10]>}> : (tensor<10xf32>) -> tensor<?x10xf32, #tc.dims<["B", 10]>>
    %z = "tc.add"(%0, %bias) {tc.note = "\\22caf\\C3\\A9\\22"} : (tensor<?x10xf32, #tc.dims<["B", 10]>>, tensor<?x10xf32, #tc.dims<["B", 10]>>) -> tensor<?x10xf32, #tc.dims<["B", 10]>>
    %2 = "tc.sum"(%z) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<?x10xf32, #tc.dims<["B", 10]>>) -> tensor<10xf32>
    %3 = "tc.sum"(%2) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<10xf32>) -> tensor<f32>
    %4 = "tc.grad"(%3) ({
    ^bb0(%x: tensor<f32>):
      %5 = "tc.mul"(%x, %x) : (tensor<f32>, tensor<f32>) -> tensor<f32>
      "tc.yield"(%5) : (tensor<f32>) -> ()
    }) : (tensor<f32>) -> tensor<f32>
    "func.return"(%4) : (tensor<f32>) -> ()
  }) {tc.guards = [#tc.dims<["2*B + 1", "floordiv(n, 2)"]>], tc.level = "tensor"} : () -> ()
  "func.func"() <{function_type = (memref<?x4xf32>, index, i1) -> (), sym_name = "kernel"}> ({
  ^bb0(%m: memref<?x4xf32>, %i: index, %p: i1):
    %0 = "arith.constant"() <{value = 0 : index}> : () -> index
    %1 = "arith.constant"() <{value = 0x7F800000 : f32}> : () -> f32
    %2 = "arith.constant"() <{value = true}> : () -> i1
    %3 = "arith.constant"() <{value = 2.5 : f64}> : () -> f64
    %4 = "arith.constant"() <{value = -7 : i64}> : () -> i64
    %5 = "vector.broadcast"(%1) : (f32) -> vector<16xf32>
    %6:2 = "tc.group"(%1, %0) <{outer = 0 : i64, shapes = []}> ({
    ^bb0(%a: f32, %b: index):
      "tc.yield"(%a, %b) : (f32, index) -> ()
    }) : (f32, index) -> (f32, index)
    "scf.for"(%0, %i, %i) ({
    ^bb0(%arg0: index):
      "scf.if"(%p) ({
        "memref.store"(%6#0, %m, %6#1, %0) : (f32, memref<?x4xf32>, index, index) -> ()
        "scf.yield"() : () -> ()
      }, {}) : (i1) -> ()
      "scf.yield"() : () -> ()
    }) : (index, index, index) -> ()
    "linalg.generic"(%m, %m) <{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, 0)>], iterator_types = [#linalg.iterator_type<parallel>, #linalg.iterator_type<parallel>], operandSegmentSizes = array<i32: 1, 1>}> ({
    ^bb0(%c: f32, %d: f32):
      "linalg.yield"(%c) : (f32) -> ()
    }) : (memref<?x4xf32>, memref<?x4xf32>) -> ()
    "func.return"() : () -> ()
  }) : () -> ()
  "func.func"() <{function_type = (memref<?x4xf32>, index, i1) -> (), sym_name = "caller"}> ({
  ^bb0(%m: memref<?x4xf32>, %i: index, %p: i1):
    "func.call"(%m, %i, %p) <{callee = @kernel}> : (memref<?x4xf32>, index, i1) -> ()
    "func.return"() : () -> ()
  }) : () -> ()
}) : () -> ()
"""  # noqa: E501


def function(body: str, inputs: str = "", results: str = "", names: str = "") -> str:
    """Return a module with one function `f` around ops.

    `inputs` are types; `names` are their names, by default %0, %1, ….
    """
    types = split_types(inputs)
    given = names.split() or [f"%{i}" for i in range(len(types))]
    pairs = zip(given, types, strict=True)
    arguments = ", ".join(f"{n}: {t}" for n, t in pairs)
    label = f"^bb0({arguments}):" if arguments else "^bb0:"
    return f"""
"builtin.module"() ({{
  "func.func"() <{{function_type = ({inputs}) -> ({results}), sym_name = "f"}}> ({{
  {label}
{body}
  }}) : () -> ()
}}) : () -> ()
"""


def split_types(text: str) -> list[str]:
    """Split types at the commas that are not inside brackets."""
    parts, depth, start = [], 0, 0
    for i, sign in enumerate(text):
        depth += sign in "<([{"
        depth -= sign in ")]}" or (sign == ">" and text[i - 1] != "-")
        if sign == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    rest = text[start:].strip()
    return [*parts, rest] if rest else parts
