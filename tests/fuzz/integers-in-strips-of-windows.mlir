// tensorc fuzz: seed 11, program 464
// compiles: InternalError: internal error in pass 'expand-math': invalid IR: error[TC0250]: arith.constant: attribute 'value': 0.0 is no integer in -9223372036854775808..9223372036854775807
// case: {"function": "p464", "arguments": [{"type": "i64", "shape": [1, 1, 1, 1, 2], "values": [1, 1]}, {"type": "i64", "shape": [1, 1, 1, 1, 1], "values": [1]}], "tame": true, "cost": null, "slopes": [], "twins": [], "rows": null, "duals": []}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "v1"}, {tc.kind = "input", tc.name = "a1"}], function_type = (tensor<1x1x1x1x2xi64>, tensor<1x1x1x1x1xi64>) -> tensor<1x1x1x1x3xi64>, res_attrs = [{tc.name = "r0"}], sym_name = "p464"}> ({
  ^bb0(%v1: tensor<1x1x1x1x2xi64>, %a1: tensor<1x1x1x1x1xi64>):
    %0 = "tc.conv_transpose"(%v1, %a1) <{dilation = array<i64: 1, 1>, order = "fma", output = #tc.dims<[1, 3]>, padding = [#tc.dims<[2, 0]>, #tc.dims<[0, 1]>], strides = array<i64: 1, 3>}> : (tensor<1x1x1x1x2xi64>, tensor<1x1x1x1x1xi64>) -> tensor<1x1x1x1x3xi64>
    "func.return"(%0) : (tensor<1x1x1x1x3xi64>) -> ()
  }) : () -> ()
}) : () -> ()
