// tensorc fuzz: seed 14, program 3978
// compiles: CompileError: error[TC0250]: a member of a tc.group reads memory that no other member writes
// case: {"function": "p3978", "arguments": [{"type": "f64", "shape": [1, 1, 1], "values": [1.0]}, {"type": "f64", "shape": [0, 1, 1], "values": []}], "tame": true, "cost": null, "slopes": [], "twins": [], "rows": null, "duals": []}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "a0"}, {tc.kind = "input", tc.name = "v4"}], function_type = (tensor<1x1x1xf64>, tensor<0x1x1xf64>) -> (tensor<f64>, tensor<1x1x1xf64>), res_attrs = [{tc.name = "r0"}, {tc.name = "r1"}], sym_name = "p3978"}> ({
  ^bb0(%a0: tensor<1x1x1xf64>, %v4: tensor<0x1x1xf64>):
    %0 = "tc.slice"(%a0) <{sizes = #tc.dims<[0, 1, 1]>, starts = #tc.dims<[0, 0, 0]>, steps = array<i64: 1, 1, 1>}> : (tensor<1x1x1xf64>) -> tensor<0x1x1xf64>
    %1 = "tc.matmul"(%0, %v4) <{order = "fma"}> : (tensor<0x1x1xf64>, tensor<0x1x1xf64>) -> tensor<0x1x1xf64>
    %2 = "tc.sum"(%1) <{axes = array<i64: 2>, order = "lanes"}> : (tensor<0x1x1xf64>) -> tensor<0x1xf64>
    %3 = "tc.sum"(%2) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<0x1xf64>) -> tensor<0xf64>
    %4 = "tc.sum"(%3) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<0xf64>) -> tensor<f64>
    %5 = "tc.grad"(%a0) ({
    ^bb0(%arg0: tensor<1x1x1xf64>):
      %6 = "tc.slice"(%arg0) <{sizes = #tc.dims<[0, 1, 1]>, starts = #tc.dims<[0, 0, 0]>, steps = array<i64: 1, 1, 1>}> : (tensor<1x1x1xf64>) -> tensor<0x1x1xf64>
      %7 = "tc.matmul"(%6, %v4) <{order = "fma"}> : (tensor<0x1x1xf64>, tensor<0x1x1xf64>) -> tensor<0x1x1xf64>
      %8 = "tc.sum"(%7) <{axes = array<i64: 2>, order = "lanes"}> : (tensor<0x1x1xf64>) -> tensor<0x1xf64>
      %9 = "tc.sum"(%8) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<0x1xf64>) -> tensor<0xf64>
      %10 = "tc.sum"(%9) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<0xf64>) -> tensor<f64>
      "tc.yield"(%10) : (tensor<f64>) -> ()
    }) : (tensor<1x1x1xf64>) -> tensor<1x1x1xf64>
    "func.return"(%4, %5) : (tensor<f64>, tensor<1x1x1xf64>) -> ()
  }) : () -> ()
}) : () -> ()
