// RUN: tensorc opt %s --dce

// CHECK-LABEL: sym_name = "unused"
// CHECK-NOT:   "tc.exp"
// CHECK:       %[[N:.*]] = "tc.neg"(%x)
// CHECK-NEXT:  "func.return"(%[[N]])
"func.func"() <{function_type = (tensor<4xf32>) -> tensor<4xf32>, sym_name = "unused"}> ({
^bb0(%x: tensor<4xf32>):
  %0 = "tc.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "tc.log"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "tc.neg"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  "func.return"(%2) : (tensor<4xf32>) -> ()
}) : () -> ()
