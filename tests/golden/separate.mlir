// RUN: tensorc opt %s --to-structured --separate
// RUN: tensorc opt %s --to-structured --fuse

// Both stand row by row: two kernels without fusion, one with it.
// CHECK-LABEL: sym_name = "f"
// CHECK:       %[[E:.*]] = "tc.group"(%x) <{outer = 1 : i64
// CHECK:       tc.why = "nothing is fused"
// CHECK:       "tc.group"(%[[E]], %x) <{outer = 1 : i64
// CHECK:       tc.why = "nothing is fused"
// CHECK-LABEL: sym_name = "f"
// CHECK:       "tc.group"(%x) <{outer = 1 : i64
// CHECK-NOT:   "tc.group"
"builtin.module"() ({
  "func.func"() <{arg_attrs = [{tc.kind = "input", tc.name = "x"}], function_type = (tensor<5x4xf32>) -> tensor<5x4xf32>, res_attrs = [{tc.name = ""}], sym_name = "f"}> ({
  ^bb0(%x: tensor<5x4xf32>):
    %0 = "tc.exp"(%x) : (tensor<5x4xf32>) -> tensor<5x4xf32>
    %1 = "tc.add"(%0, %x) : (tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<5x4xf32>
    "func.return"(%1) : (tensor<5x4xf32>) -> ()
  }) : () -> ()
}) : () -> ()
