// tensorc fuzz: seed 16, program 1940
// compiles: InternalError: internal error in pass 'schedule': IndexError: tuple index out of range
// case: {"function": "p1940", "arguments": [{"type": "f32", "shape": [], "values": [1.0]}, {"type": "f32", "shape": [2, 1], "values": [1.0, 1.0]}, {"type": "f32", "shape": [1, 2], "values": [1.0, 1.0]}], "tame": true, "cost": null, "slopes": [], "twins": [], "rows": null, "duals": []}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "v1"}, {tc.kind = "input", tc.name = "a1"}, {tc.kind = "input", tc.name = "v5"}], function_type = (tensor<f32>, tensor<2x1xf32>, tensor<1x2xf32>) -> (tensor<2x1xf32>, tensor<2x1xf32>), res_attrs = [{tc.name = "r0"}, {tc.name = "r1"}], sym_name = "p1940"}> ({
  ^bb0(%v1: tensor<f32>, %a1: tensor<2x1xf32>, %v5: tensor<1x2xf32>):
    %0 = "tc.broadcast"(%v1) <{axes = array<i64>, shape = #tc.dims<[1, 1]>}> : (tensor<f32>) -> tensor<1x1xf32>
    %1 = "tc.matmul"(%a1, %0) <{order = "fma"}> : (tensor<2x1xf32>, tensor<1x1xf32>) -> tensor<2x1xf32>
    %2 = "tc.matmul"(%0, %v5) <{order = "fma"}> : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
    %3 = "tc.transpose"(%2) <{permutation = array<i64: 1, 0>}> : (tensor<1x2xf32>) -> tensor<2x1xf32>
    "func.return"(%1, %3) : (tensor<2x1xf32>, tensor<2x1xf32>) -> ()
  }) : () -> ()
}) : () -> ()
