// RUN: tensorc opt %s --to-structured --merge

// What one op reads is part of its body, reductions included; what two read is not,
// unless it is cheap.
// CHECK-LABEL: sym_name = "chain"
// CHECK:       "linalg.generic"(%x, %y, %{{.*}})
// CHECK:       "math.exp"
// CHECK-NEXT:  "arith.mulf"
// CHECK-NEXT:  "arith.addf"
// CHECK-NOT:   "linalg.generic"
// CHECK-LABEL: sym_name = "two"
// CHECK:       %[[E:.*]] = "linalg.generic"(%x, %{{.*}})
// CHECK:       "math.exp"
// CHECK-NEXT:  "linalg.yield"
// CHECK:       "linalg.generic"(%[[E]],
// CHECK:       "arith.negf"
// CHECK-NEXT:  "arith.addf"
// CHECK:       "linalg.generic"(%[[E]],
// CHECK:       "arith.negf"
// CHECK-NEXT:  "arith.mulf"
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}, {tc.kind = "input", tc.name = "y"}], function_type = (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<4xf32>, res_attrs = [{tc.name = ""}], sym_name = "chain"}> ({
  ^bb0(%x: tensor<3x4xf32>, %y: tensor<3x4xf32>):
    %0 = "tc.exp"(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
    %1 = "tc.mul"(%0, %y) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    %2 = "tc.sum"(%1) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<3x4xf32>) -> tensor<4xf32>
    "func.return"(%2) : (tensor<4xf32>) -> ()
  }) : () -> ()
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}], function_type = (tensor<3x4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>), res_attrs = [{tc.name = ""}, {tc.name = ""}], sym_name = "two"}> ({
  ^bb0(%x: tensor<3x4xf32>):
    %0 = "tc.exp"(%x) : (tensor<3x4xf32>) -> tensor<3x4xf32>
    %1 = "tc.neg"(%0) : (tensor<3x4xf32>) -> tensor<3x4xf32>
    %2 = "tc.sum"(%1) <{axes = array<i64: 0>, order = "lanes"}> : (tensor<3x4xf32>) -> tensor<4xf32>
    %3 = "tc.mul"(%1, %0) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
    "func.return"(%2, %3) : (tensor<4xf32>, tensor<3x4xf32>) -> ()
  }) : () -> ()
}) : () -> ()
