// tensorc fuzz: seed 11, program 132
// compiles: InternalError: internal error in pass 'merge': TypeError: '<' not supported between instances of 'Affine' and 'int'
// case: {"function": "p132", "arguments": [{"type": "f64", "shape": [1, 1], "values": [1.0]}], "tame": true, "cost": null, "slopes": [], "twins": [], "rows": null, "duals": []}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "a0"}], function_type = (tensor<1x1xf64>) -> (tensor<f64>, tensor<1x1xf64>), res_attrs = [{tc.name = "r0"}, {tc.name = "r1"}], sym_name = "p132"}> ({
  ^bb0(%a0: tensor<1x1xf64>):
    %0 = "tc.windows"(%a0) <{dilation = array<i64: 2>, fill = -0.0 : f64, output = #tc.dims<[1]>, padding = [#tc.dims<[1, 0]>], strides = array<i64: 1>, window = #tc.dims<[1]>}> : (tensor<1x1xf64>) -> tensor<1x1x1xf64>
    %1 = "tc.mod"(%0, %0) : (tensor<1x1x1xf64>, tensor<1x1x1xf64>) -> tensor<1x1x1xf64>
    %2 = "tc.sum"(%1) <{axes = array<i64: 2>, order = "lanes"}> : (tensor<1x1x1xf64>) -> tensor<1x1xf64>
    %3 = "tc.sum"(%2) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<1x1xf64>) -> tensor<1xf64>
    %4 = "tc.sum"(%3) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<1xf64>) -> tensor<f64>
    %5 = "tc.grad"(%a0) ({
    ^bb0(%arg0: tensor<1x1xf64>):
      %6 = "tc.windows"(%arg0) <{dilation = array<i64: 2>, fill = -0.0 : f64, output = #tc.dims<[1]>, padding = [#tc.dims<[1, 0]>], strides = array<i64: 1>, window = #tc.dims<[1]>}> : (tensor<1x1xf64>) -> tensor<1x1x1xf64>
      %7 = "tc.mod"(%6, %6) : (tensor<1x1x1xf64>, tensor<1x1x1xf64>) -> tensor<1x1x1xf64>
      %8 = "tc.sum"(%7) <{axes = array<i64: 2>, order = "lanes"}> : (tensor<1x1x1xf64>) -> tensor<1x1xf64>
      %9 = "tc.sum"(%8) <{axes = array<i64: 1>, order = "lanes"}> : (tensor<1x1xf64>) -> tensor<1xf64>
      %10 = "tc.sum"(%9) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<1xf64>) -> tensor<f64>
      "tc.yield"(%10) : (tensor<f64>) -> ()
    }) : (tensor<1x1xf64>) -> tensor<1x1xf64>
    "func.return"(%4, %5) : (tensor<f64>, tensor<1x1xf64>) -> ()
  }) : () -> ()
}) : () -> ()
