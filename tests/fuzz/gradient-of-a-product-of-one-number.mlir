// tensorc fuzz: seed 16, program 1783
// compiles: InternalError: internal error in pass 'schedule': IndexError: tuple index out of range
// case: {"function": "p1783", "arguments": [{"type": "f64", "shape": [], "values": [1.0]}, {"type": "f64", "shape": [1, 2], "values": [1.0, 1.0]}, {"type": "f64", "shape": [2, 1], "values": [1.0, 1.0]}], "tame": true, "cost": null, "slopes": [], "twins": [], "rows": null, "duals": []}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "a1"}, {tc.kind = "input", tc.name = "a2"}, {tc.kind = "input", tc.name = "a3"}], function_type = (tensor<f64>, tensor<1x2xf64>, tensor<2x1xf64>) -> (tensor<f64>, tensor<1x2xf64>, tensor<2x1xf64>), res_attrs = [{tc.name = "r0"}, {tc.name = "r1"}, {tc.name = "r2"}], sym_name = "p1783"}> ({
  ^bb0(%a1: tensor<f64>, %a2: tensor<1x2xf64>, %a3: tensor<2x1xf64>):
    %0 = "tc.matmul"(%a2, %a3) <{order = "fma"}> : (tensor<1x2xf64>, tensor<2x1xf64>) -> tensor<1x1xf64>
    %1 = "tc.broadcast"(%a1) <{axes = array<i64>, shape = #tc.dims<[1, 1]>}> : (tensor<f64>) -> tensor<1x1xf64>
    %2 = "tc.mul"(%0, %1) : (tensor<1x1xf64>, tensor<1x1xf64>) -> tensor<1x1xf64>
    %3 = "tc.sum"(%2) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<1x1xf64>) -> tensor<1xf64>
    %4 = "tc.sum"(%3) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<1xf64>) -> tensor<f64>
    %5:2 = "tc.grad"(%a2, %a3) ({
    ^bb0(%arg0: tensor<1x2xf64>, %arg1: tensor<2x1xf64>):
      %6 = "tc.matmul"(%arg0, %arg1) <{order = "fma"}> : (tensor<1x2xf64>, tensor<2x1xf64>) -> tensor<1x1xf64>
      %7 = "tc.mul"(%6, %1) : (tensor<1x1xf64>, tensor<1x1xf64>) -> tensor<1x1xf64>
      %8 = "tc.sum"(%7) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<1x1xf64>) -> tensor<1xf64>
      %9 = "tc.sum"(%8) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<1xf64>) -> tensor<f64>
      "tc.yield"(%9) : (tensor<f64>) -> ()
    }) : (tensor<1x2xf64>, tensor<2x1xf64>) -> (tensor<1x2xf64>, tensor<2x1xf64>)
    "func.return"(%4, %5#0, %5#1) : (tensor<f64>, tensor<1x2xf64>, tensor<2x1xf64>) -> ()
  }) : () -> ()
}) : () -> ()
