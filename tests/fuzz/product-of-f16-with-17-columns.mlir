// tensorc fuzz: seed 4, program 9
// interpreted = -O0 fused, 1 thread: result 0: np.float16(1.0) and np.float16(0.0) at [0, 16]
// case: {"function": "p9", "arguments": [{"type": "f16", "shape": [17, 1], "values": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}, {"type": "f16", "shape": [1, 17], "values": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}], "tame": true, "cost": null, "slopes": []}
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "a0"}, {tc.kind = "input", tc.name = "v1"}], function_type = (tensor<17x1xf16>, tensor<1x17xf16>) -> tensor<17x17xf16>, res_attrs = [{tc.name = "r0"}], sym_name = "p9"}> ({
  ^bb0(%a0: tensor<17x1xf16>, %v1: tensor<1x17xf16>):
    %0 = "tc.matmul"(%a0, %v1) <{order = "fma"}> : (tensor<17x1xf16>, tensor<1x17xf16>) -> tensor<17x17xf16>
    "func.return"(%0) : (tensor<17x17xf16>) -> ()
  }) : () -> ()
}) : () -> ()
